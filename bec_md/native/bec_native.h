/* Native evaluator of the Z* network: C interface.
 *
 * Reads the model files that bec-md writes (safetensors with a JSON header) and evaluates them without
 * Python or torch. Two ways in:
 *
 *   whole frames    bec_evaluate_frames: neighbors, network, sum rule; used from Python
 *   staged          bec_evaluation_*: one layer at a time on local + ghost atoms, the caller exchanges the
 *                   messages of ghost atoms between layers; used by LAMMPS
 *
 * Staged use, one step on one MPI rank:
 *
 *   bec_evaluation_begin(e, &graph, ...)               or bec_evaluation_begin_positions(e, ...)
 *   bec_evaluation_layer(e, 0, NULL, out, ...)         out[n_receivers × width(1)]
 *     ... the caller copies out to in[0 … n_receivers) and fills the ghosts' rows ...
 *   bec_evaluation_layer(e, 1, in, out or NULL, ...)   in[n_atoms × width(1)]; out for the next layer
 *   bec_evaluation_read_out(e, charges, NULL, NULL, ...)  raw Z: subtract (Σ Z − Q·1)/N yourself, N and Σ global
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

#define BEC_NATIVE_ABI 1

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
} bec_frames;

/* Processor seconds per part, summed over threads, and work done. */
typedef struct bec_profile {
    double neighbors_s, gather_s, mixing_s, products_s, readout_s;
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
BEC_EXPORT int bec_model_members(const bec_model* model);
/* Floats per atom that neighbors need in layer t (0 for the first layer, t = 0, and for t ≥ layers). */
BEC_EXPORT int bec_model_message_width(const bec_model* model, int layer);

BEC_EXPORT int bec_evaluate_frames(const bec_model* model, const bec_frames* frames, int n_threads, int sum_rule,
                                   double* charges,  /* [N × 9] e */
                                   double* members,  /* [N × M × 9] e, or NULL */
                                   double* eps_inf,  /* [n_frames × 9], or NULL */
                                   bec_profile* profile, /* added to, or NULL */
                                   char* error, size_t error_size);

/* Neighbors of one frame, as bec_evaluate_frames finds them. Returns the number of edges, −1 on failure; fills
 * at most `capacity` of them (receiver, sender, vectors may be NULL with capacity 0). */
BEC_EXPORT int64_t bec_neighbors(int64_t n_atoms, const double* positions, const double* cell,
                                 const uint8_t* periodic, double cutoff, int64_t capacity, int32_t* receiver,
                                 int32_t* sender, float* vectors, char* error, size_t error_size);

/* Staged evaluation. The object keeps its memory from one step to the next. */
BEC_EXPORT bec_evaluation* bec_evaluation_create(const bec_model* model, int n_threads, char* error,
                                                 size_t error_size);
BEC_EXPORT void bec_evaluation_free(bec_evaluation* evaluation);
/* The arrays of `graph` must stay alive until the read-out. */
BEC_EXPORT int bec_evaluation_begin(bec_evaluation* evaluation, const bec_graph* graph, char* error,
                                    size_t error_size);
/* The same with neighbors found here, by linked cells, among n_atoms atoms without periodicity (ghosts are
 * atoms of their own). positions [n_atoms × 3] Å; species must stay alive until the read-out. */
BEC_EXPORT int bec_evaluation_begin_positions(bec_evaluation* evaluation, int64_t n_receivers, int64_t n_atoms,
                                              const int32_t* species, const double* positions, char* error,
                                              size_t error_size);
/* Layers in order 0, 1, …; messages_in [n_atoms × width(layer)] (NULL for layer 0), messages_out
 * [n_receivers × width(layer + 1)] (NULL after the last layer). The two arrays may not overlap. */
BEC_EXPORT int bec_evaluation_layer(bec_evaluation* evaluation, int layer, const float* messages_in,
                                    float* messages_out, char* error, size_t error_size);
/* Raw tensors of the receivers, without the sum rule; any of the outputs may be NULL.
 * polarizability: each atom's share a of ε_∞ = 1 + Σ_i a_i / V, Å^3. */
BEC_EXPORT int bec_evaluation_read_out(bec_evaluation* evaluation, double* charges, /* [n_receivers × 9] e */
                                       double* members,        /* [n_receivers × M × 9] e */
                                       double* polarizability, /* [n_receivers × 9] Å^3 */
                                       char* error, size_t error_size);

#ifdef __cplusplus
}
#endif

#endif
