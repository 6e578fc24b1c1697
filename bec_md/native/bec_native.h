/* Native evaluator of the Z* network: C interface.
 *
 * Reads the model files that bec-md writes (safetensors with a JSON header) and evaluates them without
 * Python or torch. Two ways in:
 *
 *   whole frames    bec_evaluate_frames: neighbors, network, sum rule; used from Python
 *   staged          bec_evaluation_*: one layer at a time on local + ghost atoms, the caller exchanges the
 *                   messages of ghost atoms between layers; used by LAMMPS
 *
 * Staged use, one step on one MPI rank. Messages have a row of `lanes` × width(layer) floats for each atom; there
 * is one lane of values, and one more for every set of velocities:
 *
 *   bec_evaluation_begin(e, &graph, ...)
 *   bec_evaluation_layer(e, 0, NULL, out, ...)         out[n_receivers × lanes × width(1)]
 *     ... the caller copies out to in[0 … n_receivers) and fills the ghosts' rows ...
 *   bec_evaluation_layer(e, 1, in, out or NULL, ...)   in[n_atoms × lanes × width(1)]; out for the next layer
 *   bec_evaluation_read_out(e, "charges", values, NULL, ...)
 *
 * The read-out is raw: subtract (Σ Z − Q·1)/N yourself, N and Σ global. Of a model whose read-out is a dipole,
 * Σ_j p_j and with velocities its rates of change are had in the same way; its derivatives by the positions, with
 * graph.reverse = 1, from the last layer to the first:
 *
 *   bec_evaluation_layer for all layers but the last one
 *   bec_evaluation_start_sweep(e, lanes, directions, -1, ...)       1 or 3 directions of the polarization
 *   bec_evaluation_layer_adjoint(e, 1, in, NULL, of_in, ...)        of_in[n_atoms × lanes × width(1)]
 *     ... the rows of ghosts are sent back to their owners, who add them to their own ...
 *   bec_evaluation_layer_adjoint(e, 0, NULL, of_in, NULL, ...)
 *   bec_evaluation_gradient(e, gradient, ...)                       of receivers and ghosts: send these back, too
 *
 * Units: Å, e. Z is row-major Z[a][b] = ∂M_a/∂u_b. Conventions of every function: 0 means success; otherwise
 * a message (what, why, what to do) is in `error`, never more than error_size bytes with its terminating zero.
 * No exception leaves the library, it has no global state, and different objects may be used by different
 * threads at once. A bec_model is immutable and may be shared. Results do not depend on the thread count.
 */
#ifndef BEC_NATIVE_H
#define BEC_NATIVE_H

#include <stddef.h>
#include <stdint.h>

#define BEC_NATIVE_ABI 2

#ifndef BEC_EXPORT
#if defined(__GNUC__)
#define BEC_EXPORT __attribute__((visibility("default")))
#else
#define BEC_EXPORT
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bec_model bec_model;
typedef struct bec_evaluation bec_evaluation;

/* Receivers are atoms 0 … n_receivers−1, the remaining atoms (ghosts) only send. */
typedef struct bec_graph {
    int64_t n_receivers;
    int64_t n_atoms;          /* receivers and ghosts */
    const int32_t* species;   /* [n_atoms] index into the atomic numbers given to bec_model_load */
    const int64_t* first;     /* [n_receivers + 1] edges of receiver i are first[i] … first[i+1]−1 */
    const int32_t* sender;    /* [E] index of an atom, < n_atoms */
    const float* vectors;     /* [E × 3] r_sender − r_receiver, Å (subtract in double precision, then round);
                                 edges beyond the cutoff are allowed and contribute nothing */
    int32_t n_tangents;       /* sets of velocities, 0 without */
    int32_t reverse;          /* 1: derivatives by the positions will be asked for; not with velocities */
    const float* velocities;  /* [n_atoms × n_tangents × 3] or NULL */
} bec_graph;

/* A batch of frames, any sizes; periodic images are found for cells of any shape and size. */
typedef struct bec_frames {
    int64_t n_frames;
    const int64_t* first_atom;   /* [n_frames + 1] */
    const double* positions;     /* [N × 3] Å */
    const int32_t* species;      /* [N] index into the atomic numbers given to bec_model_load */
    const double* cells;         /* [n_frames × 9] Å, rows are lattice vectors */
    const uint8_t* periodic;     /* [n_frames × 3] */
    const double* total_charge;  /* [n_frames] e, or NULL for neutral frames */
    const double* velocities;    /* [N × 3] Å/time, for a current, or NULL */
    const int32_t* group;        /* [N] of each atom, −1 for none; NULL: all are of group 0 */
    int32_t n_groups;            /* currents are given for each group */
} bec_frames;

/* What is wanted of whole frames, by name. `values` are means over the M members of the read-out, `members` all
 * of them; either may be NULL.
 *   charges       [N × 9] e           of the read-out charges, or derivatives of the read-out dipole
 *   eps_inf       [F × 9]             read-out polarizability
 *   polarization  [F × 3] e Å         read-out dipole: Σ_i q_i r_i + Σ_j p_j of the positions as given
 *   dipole        [F × 3] e Å         the same without Σ_i q_i r_i: periodic
 *   current       [F × G × 3] e Å/time  read-out dipole, with velocities: rate of change of the polarization
 * members are [N × M × 9], [F × M × 3], [F × G × M × 3]. */
typedef struct bec_output {
    const char* name;
    double* values;
    double* members;
} bec_output;

/* Processor seconds per part, summed over threads, and work done. */
typedef struct bec_profile {
    double neighbors_s, gather_s, mixing_s, products_s, adjoint_s, readout_s;
    double mixing_flop, products_flop, gather_flop;
    int64_t atoms, edges;
} bec_profile;

BEC_EXPORT int bec_native_abi(void);
/* Hash of the sources that the library was built from; "" when the build did not define BEC_SOURCE_HASH. */
BEC_EXPORT const char* bec_native_source(void);
/* "avx512", "avx2" or "baseline": the instruction set in use on this machine. */
BEC_EXPORT const char* bec_native_instruction_set(void);

/* Load a model for one level of theory (NULL or "": the default of the model's card, else the first one) and for the elements that
 * may occur (their order defines the species index). Radial functions of a pair are tabulated when it first
 * occurs (some milliseconds). NULL on failure. */
BEC_EXPORT bec_model* bec_model_load(const char* path, const char* level, const int32_t* atomic_numbers,
                                     int n_numbers, char* error, size_t error_size);
BEC_EXPORT void bec_model_free(bec_model* model);
BEC_EXPORT double bec_model_cutoff(const bec_model* model);
BEC_EXPORT int bec_model_layers(const bec_model* model);
/* Name of a read-out, NULL for index ≥ their number: "charges", "dipole", "polarizability". */
BEC_EXPORT const char* bec_model_readout(const bec_model* model, int index);
/* Members of a read-out, 0 when the model has none of this name. */
BEC_EXPORT int bec_model_members(const bec_model* model, const char* readout);
/* Charge of each species that moves with the atoms of a model with a dipole, before its excess over the frame is
 * subtracted: charge[n_numbers], e. */
BEC_EXPORT int bec_model_ionic_charges(const bec_model* model, double* charge, char* error, size_t error_size);
/* Floats per atom and lane that neighbors need in layer t (0 for the first layer, t = 0, and for t ≥ layers). */
BEC_EXPORT int bec_model_message_width(const bec_model* model, int layer);

BEC_EXPORT int bec_evaluate_frames(const bec_model* model, const bec_frames* frames, int n_threads, int sum_rule,
                                   const bec_output* outputs, int n_outputs,
                                   bec_profile* profile, /* added to, or NULL */
                                   char* error, size_t error_size);

/* Neighbors of one frame, as bec_evaluate_frames finds them. Returns the number of edges, −1 on failure; fills
 * at most `capacity` of them (receiver, sender, vectors may be NULL with capacity 0). */
BEC_EXPORT int64_t bec_neighbors(int64_t n_atoms, const double* positions, const double* cell,
                                 const uint8_t* periodic, double cutoff, int64_t capacity, int32_t* receiver,
                                 int32_t* sender, float* vectors, char* error, size_t error_size);

/* One non-zero Clebsch–Gordan coefficient: component u of the left, v of the right factor. */
typedef struct bec_coupling_entry {
    int16_t u;
    int16_t v;
    float value;
} bec_coupling_entry;

/* Product of features, channel by channel, for training: out[atom][row] = Σ value · left[atom][u] · right[atom][v] over
 * the entries of the row, which end at ends[row]. Arrays are [n_atoms × components × channels], channels a multiple of 8. */
BEC_EXPORT void bec_couple(int64_t n_atoms, int channels, int rows, int left_components, int right_components,
                           const bec_coupling_entry* entries, const int32_t* ends, const float* left,
                           const float* right, float* out);

/* Edges of a batch, for training: what they carry has M components in L sets, K channels. */
typedef struct bec_messages {
    int64_t n_edges;
    const int64_t* receiver;    /* [E] */
    const int64_t* sender;      /* [E] */
    int32_t sets;               /* L */
    const int32_t* components;  /* [L] of each set; M is their sum */
    int32_t channels;           /* K, a multiple of 8 */
} bec_messages;

/* Sums over the neighbors, with weights w [E × L × K] and l the set of component m; out [atoms × M × K] is added to:
 *   bec_send_harmonics     out[receiver][m] += y[e][m] · w[e][l]         y [E × M]
 *   bec_send_tensors       out[receiver][m] += t[sender][m] · w[e][l]    t [atoms × M × K]
 * and their transposes, which write their result:
 *   bec_weigh_harmonics    w[e][l] = Σ_m sum[receiver][m] · y[e][m]
 *   bec_weigh_tensors      w[e][l] = Σ_m sum[receiver][m] · t[sender][m]
 *   bec_project_harmonics  y[e][m] = Σ_k sum[receiver][m] · w[e][l] */
BEC_EXPORT void bec_send_harmonics(const bec_messages* edges, const float* y, const float* w, float* out);
BEC_EXPORT void bec_send_tensors(const bec_messages* edges, const float* t, const float* w, float* out);
BEC_EXPORT void bec_weigh_harmonics(const bec_messages* edges, const float* sum, const float* y, float* w);
BEC_EXPORT void bec_weigh_tensors(const bec_messages* edges, const float* sum, const float* t, float* w);
BEC_EXPORT void bec_project_harmonics(const bec_messages* edges, const float* sum, const float* w, float* y);

/* Staged evaluation. The object keeps its memory and its threads from one step to the next. `readouts`: names,
 * separated by spaces, of what will be read out; the last layer is evaluated as far as these need it (NULL: all). */
BEC_EXPORT bec_evaluation* bec_evaluation_create(const bec_model* model, const char* readouts, int n_threads,
                                                 char* error, size_t error_size);
BEC_EXPORT void bec_evaluation_free(bec_evaluation* evaluation);
/* The arrays of `graph` must stay alive until the last call for it. */
BEC_EXPORT int bec_evaluation_begin(bec_evaluation* evaluation, const bec_graph* graph, char* error,
                                    size_t error_size);
/* Layers in order 0, 1, …; messages_in [n_atoms × lanes × width(layer)] (NULL for layer 0), messages_out
 * [n_receivers × lanes × width(layer + 1)] (NULL after the last layer). The two arrays may not overlap. */
BEC_EXPORT int bec_evaluation_layer(bec_evaluation* evaluation, int layer, const float* messages_in,
                                    float* messages_out, char* error, size_t error_size);
/* Raw shares of the receivers, any of the outputs may be NULL. By name of the read-out, with M members:
 *   charges         [n_receivers × 9] e, members [n_receivers × M × 9], without the sum rule
 *   dipole          [n_receivers × lanes × 3] e Å, members [n_receivers × lanes × M × 3]
 *   polarizability  [n_receivers × 9] Å^3, each atom's share a of ε_∞ = 1 + Σ_i a_i / V */
BEC_EXPORT int bec_evaluation_read_out(bec_evaluation* evaluation, const char* readout, double* values,
                                       double* members, char* error, size_t error_size);
/* Derivatives of Σ_j e_a·p_j for 1 or 3 directions e_a [lanes × 3], of the mean over the members or of one of them.
 * After the layers before the last one; the last one is evaluated by its adjoint. Sweeps may follow each other. */
BEC_EXPORT int bec_evaluation_start_sweep(bec_evaluation* evaluation, int lanes, const double* directions, int member,
                                          char* error, size_t error_size);
/* Layers from the last to the first. messages_in as in bec_evaluation_layer; of_sent [n_receivers × lanes ×
 * width(layer + 1)] adjoints of what the receivers sent, from all who received it (NULL for the last layer);
 * of_messages [n_atoms × lanes × width(layer)] is written (NULL for layer 0). */
BEC_EXPORT int bec_evaluation_layer_adjoint(bec_evaluation* evaluation, int layer, const float* messages_in,
                                            const float* of_sent, float* of_messages, char* error,
                                            size_t error_size);
/* gradient [n_atoms × lanes × 3] e: ∂/∂r of Σ_j e_a·p_j over the receivers j, for all atoms. */
BEC_EXPORT int bec_evaluation_gradient(const bec_evaluation* evaluation, double* gradient, char* error,
                                       size_t error_size);

#ifdef __cplusplus
}
#endif

#endif
