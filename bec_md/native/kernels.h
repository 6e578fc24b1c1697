// The arithmetic, compiled once per instruction set and chosen at run time.
//
// Features of a block of atoms are arrays [component][atom][channel]: one row per (component, atom), channels
// last and padded to a multiple of 8 with zeros.
#pragma once

#include <cstdint>

namespace bec {

constexpr int channel_pad = 8;
constexpr int edge_pad = 16;
constexpr int max_l = 3;

inline int padded(int channels) { return (channels + channel_pad - 1) / channel_pad * channel_pad; }

// Part of the rows of a matrix: `width` columns, rows `stride` floats apart.
struct Segment {
    const float* data;
    int width;
    int stride;
};

// One non-zero Clebsch–Gordan coefficient: component u of the left, v of the right factor.
struct CouplingEntry {
    std::int16_t u;
    std::int16_t v;
    float value;
};

// Sum over the neighbors of one atom.
struct GatherCall {
    int l_max;
    int channels;        // padded
    int sent_channels;   // padded, 0 without tensors
    float cutoff;
    float inverse_step;  // of the radial tables
    int intervals;
    int table_width;     // outputs of one knot
    const float* const* tables;  // [species of sender] table of the pair
    int n_edges;
    const float* vectors;           // [E × 3]
    const std::int32_t* sender;     // [E]
    const std::int32_t* species;    // [atoms]
    const float* messages;          // [atoms × message_width], nullptr in the first layer
    std::int64_t message_width;
    float* scratch;       // gather_scratch(l_max, n_edges) floats
    float* out;           // component m at out + m·out_stride
    std::int64_t out_stride;
    float* out_sent;
    std::int64_t out_sent_stride;
};

inline std::int64_t gather_scratch(int n_edges) {
    return static_cast<std::int64_t>((max_l + 1) * (max_l + 1) + 6) * (n_edges + edge_pad);
}

struct Kernels {
    const char* name;
    // C[rows × outputs] (+)= scale[row] · A · W; A is a list of segments, W packed by pack_weights.
    void (*multiply)(const Segment* segments, int n_segments, int rows, const float* packed, int outputs, float* c,
                     int c_stride, const float* row_scale, bool accumulate);
    // out[row] = Σ_entries value · u[entry.u] · v[entry.v], each of `length` floats; ends[row] ends its entries.
    void (*couple)(const CouplingEntry* entries, const std::int32_t* ends, int rows, std::int64_t length,
                   const float* u, const float* v, float* out);
    void (*gather)(const GatherCall& call);
    // out[atom] += Σ over components and channels of x².
    void (*add_squares)(const float* x, int components, int atoms, int width, float* out);
    // C[rows × outputs] = A · W in double precision; outputs is a multiple of 8, W and C have rows of `outputs`.
    void (*multiply_double)(const double* a, int a_stride, int rows, int inputs, const double* w, int outputs,
                            double* c);
    // x / (1 + exp(−x)); length is a multiple of 8
    void (*silu)(float* x, std::int64_t length);
};

// Columns are cut into panels of 32, 16 and 8, each stored as [inputs][panel].
int panel_width(int outputs_left);

const Kernels& kernels();  // for this machine

namespace baseline { const Kernels& table(); }
namespace avx2 { const Kernels& table(); }
namespace avx512 { const Kernels& table(); }

}  // namespace bec
