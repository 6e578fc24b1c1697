// The arithmetic, compiled once per instruction set and chosen at run time.
//
// Features of a block of atoms are arrays [component][lane][atom][channel]: one row per (component, lane, atom),
// channels last and padded to a multiple of 8 with zeros. Lanes are what is carried along: the values and their
// rates of change along given velocities (forward mode), or adjoints of several quantities (reverse mode).
#pragma once

#include <cstdint>

#include "bec_native.h"

namespace bec {

constexpr int channel_pad = 8;
constexpr int edge_pad = 16;
constexpr int max_l = 3;
constexpr int max_adjoint_lanes = 3;

inline int padded(int channels) { return (channels + channel_pad - 1) / channel_pad * channel_pad; }

// Part of the rows of a matrix: `width` columns, rows `stride` floats apart.
struct Segment {
    const float* data;
    int width;
    int stride;
};

using CouplingEntry = bec_coupling_entry;

// out[row] = Σ_entries value · u[entry.u] · v[entry.v]; ends[row] ends its entries.
struct CoupleCall {
    const CouplingEntry* entries;
    const std::int32_t* ends;
    int rows;
    int lanes;
    std::int64_t length;  // floats of one lane of one component
    const float* u;       // [component][lane][length]
    const float* v;       // the same, or of one lane (couple_adjoint)
    float* out;           // [row][lane][length]
};

// Neighbors of one atom, and what they send.
struct EdgeCall {
    int l_max;
    int channels;        // padded
    int sent_channels;   // padded, 0 without tensors
    float cutoff;
    float inverse_step;  // of the radial tables
    int intervals;
    int table_width;     // outputs of one knot
    bool polynomials;    // tables hold six coefficients for each interval, else value and slope at each knot
    const float* const* tables;  // [species of sender] table of the pair
    int n_edges;
    const float* vectors;           // [E × 3]
    const std::int32_t* sender;     // [E]
    const std::int32_t* species;    // [atoms]
    const float* messages;          // [atom][lane][width], nullptr in the first layer
    std::int64_t message_width;     // of one lane
    int message_lanes;
    float* scratch;  // edge_scratch(n_edges) floats
};

inline std::int64_t edge_scratch(int n_edges) {
    return std::int64_t{88} * (n_edges + edge_pad);  // harmonics in three directions and what goes with them
}

// Sum over the neighbors of one atom, with its rates of change when the messages have lanes.
struct GatherCall {
    EdgeCall edges;
    const float* velocities;    // [atoms × (lanes − 1) × 3]
    const float* own_velocity;  // [(lanes − 1) × 3]
    float* out;                 // component m at out + m·stride, its lanes lane_stride apart
    std::int64_t stride, lane_stride;
    float* out_sent;
    std::int64_t sent_stride, sent_lane_stride;
};

// The transposed map: adjoints of the sum → adjoints of the messages, and gradient by the positions.
struct GatherAdjointCall {
    EdgeCall edges;
    int lanes;         // 1 or 3
    const float* sum;  // as GatherCall::out
    std::int64_t stride, lane_stride;
    const float* sum_sent;
    std::int64_t sent_stride, sent_lane_stride;
    float* messages;           // [atoms × lanes × message_width], added to; not used in the first layer
    float* gradient;           // [atoms × lanes × 4], added to
    std::int64_t own_gradient;  // row of the receiver there
};

// Splines from values at equidistant nodes; slopes come from `slope_reach` nodes on either side.
constexpr int slope_reach = 4;

struct SplineCall {
    const float* outputs;    // [knot][width], and slope_reach rows more before and after
    const float* bias;       // [width]
    const double* envelope;  // [knot][factor, its slope × step]
    int knots;
    int width;               // a multiple of 8
    float* spline;           // [knot][value, slope × step][width]
};

struct Kernels {
    const char* name;
    // C[rows × outputs] (+)= scale[row] · A · W; A is a list of segments, W packed into panels of columns.
    void (*multiply)(const Segment* segments, int n_segments, int rows, const float* packed, int outputs, float* c,
                     int c_stride, const float* row_scale, bool accumulate);
    // Values in lane 0 and, by the product rule, rates of change in the others.
    void (*couple)(const CoupleCall& call);
    // Adds to every lane of `out` the product of that lane of u with v, which has one lane.
    void (*couple_adjoint)(const CoupleCall& call);
    void (*gather)(const GatherCall& call);
    void (*gather_adjoint)(const GatherAdjointCall& call);
    // out[atom] += Σ x · y over components, `x_step` and `y_step` floats apart, and channels.
    void (*add_products)(const float* x, std::int64_t x_step, const float* y, std::int64_t y_step, int components,
                         int atoms, int width, float* out);
    // out[atom] = x[atom] − factor[atom] · y[atom] for `width` channels of each atom; out may be x
    void (*subtract)(const float* x, const float* y, const float* factor, int atoms, int width, float* out);
    // C[rows × outputs] = A · W in double precision; outputs is a multiple of 8, W and C have rows of `outputs`.
    void (*multiply_double)(const double* a, int a_stride, int rows, int inputs, const double* w, int outputs,
                            double* c);
    // x / (1 + exp(−x)), and its derivative unless slope is nullptr; length is a multiple of 8
    void (*silu)(float* x, float* slope, std::int64_t length);
    void (*silu_double)(double* x, std::int64_t length);
    void (*spline)(const SplineCall& call);
    // bec_send_… and their transposes
    void (*send_harmonics)(const bec_messages& call, const float* numbers, const float* weights, float* out);
    void (*send_tensors)(const bec_messages& call, const float* tensors, const float* weights, float* out);
    void (*weigh_harmonics)(const bec_messages& call, const float* sums, const float* numbers, float* weights);
    void (*weigh_tensors)(const bec_messages& call, const float* sums, const float* tensors, float* weights);
    void (*project_harmonics)(const bec_messages& call, const float* sums, const float* weights, float* numbers);
};

// Columns are cut into panels of 32, 16 and 8, each stored as [inputs][panel].
int panel_width(int outputs_left);

const Kernels& kernels();  // for this machine

namespace baseline { const Kernels& table(); }
namespace avx2 { const Kernels& table(); }
namespace avx512 { const Kernels& table(); }

}  // namespace bec
