#include <memory>
#include <string>
#include <vector>

#include "bec_native.h"
#include "error.h"
#include "evaluation.h"
#include "frames.h"
#include "kernels.h"
#include "model.h"
#include "neighbors.h"

struct bec_model {
    bec::FrameEvaluator frames;
};

struct bec_evaluation {
    bec::Evaluation evaluation;
};

#ifndef BEC_SOURCE_HASH
#define BEC_SOURCE_HASH ""
#endif

int bec_native_abi(void) { return BEC_NATIVE_ABI; }

const char* bec_native_source(void) { return BEC_SOURCE_HASH; }

const char* bec_native_instruction_set(void) { return bec::kernels().name; }

bec_model* bec_model_load(const char* path, const char* level, const int32_t* atomic_numbers, int n_numbers,
                          char* error, size_t error_size) {
    bec_model* model = nullptr;
    bec::guarded(error, error_size, [&] {
        const std::vector<int> numbers(atomic_numbers, atomic_numbers + n_numbers);
        model = new bec_model{bec::FrameEvaluator(bec::load_model(path, level != nullptr ? level : "", numbers))};
    });
    return model;
}

void bec_model_free(bec_model* model) { delete model; }

double bec_model_cutoff(const bec_model* model) { return model->frames.model().cutoff; }

int bec_model_layers(const bec_model* model) { return static_cast<int>(model->frames.model().layers.size()); }

int bec_model_members(const bec_model* model) { return model->frames.model().members; }

int bec_model_message_width(const bec_model* model, int layer) { return model->frames.model().message_width(layer); }

int bec_evaluate_frames(const bec_model* model, const bec_frames* frames, int n_threads, int sum_rule,
                        double* charges, double* members, double* eps_inf, bec_profile* profile, char* error,
                        size_t error_size) {
    return bec::guarded(error, error_size, [&] {
        model->frames.evaluate(*frames, n_threads, sum_rule != 0, charges, members, eps_inf, profile);
    });
}

int64_t bec_neighbors(int64_t n_atoms, const double* positions, const double* cell, const uint8_t* periodic,
                      double cutoff, int64_t capacity, int32_t* receiver, int32_t* sender, float* vectors,
                      char* error, size_t error_size) {
    int64_t count = -1;
    bec::guarded(error, error_size, [&] {
        bec::CellList cells;
        cells.build(n_atoms, positions, cell, periodic, cutoff);
        bec::Buffer<std::int64_t> first(static_cast<std::size_t>(n_atoms) + 1);
        bec::Buffer<std::int32_t> senders;
        bec::Buffer<float> found;
        bec::EdgeList edges{first, senders, found, 0};
        for (int64_t i = 0; i < n_atoms; ++i) {
            const int64_t from = edges.count;
            cells.append_neighbors(i, 0, edges, i);
            for (int64_t e = from; e < edges.count && e < capacity; ++e) {
                receiver[e] = static_cast<int32_t>(i);
                sender[e] = senders.data()[e];
                for (int k = 0; k < 3; ++k) vectors[3 * e + k] = found.data()[3 * e + k];
            }
        }
        count = edges.count;
    });
    return count;
}

bec_evaluation* bec_evaluation_create(const bec_model* model, int n_threads, char* error, size_t error_size) {
    bec_evaluation* evaluation = nullptr;
    bec::guarded(error, error_size, [&] {
        evaluation = new bec_evaluation{bec::Evaluation(model->frames.model(), n_threads)};
    });
    return evaluation;
}

void bec_evaluation_free(bec_evaluation* evaluation) { delete evaluation; }

int bec_evaluation_begin(bec_evaluation* evaluation, const bec_graph* graph, char* error, size_t error_size) {
    return bec::guarded(error, error_size, [&] { evaluation->evaluation.begin(*graph); });
}

int bec_evaluation_begin_positions(bec_evaluation* evaluation, int64_t n_receivers, int64_t n_atoms,
                                   const int32_t* species, const double* positions, char* error,
                                   size_t error_size) {
    return bec::guarded(error, error_size,
                        [&] { evaluation->evaluation.begin(n_receivers, n_atoms, species, positions); });
}

int bec_evaluation_layer(bec_evaluation* evaluation, int layer, const float* messages_in, float* messages_out,
                         char* error, size_t error_size) {
    return bec::guarded(error, error_size,
                        [&] { evaluation->evaluation.layer(layer, messages_in, messages_out); });
}

int bec_evaluation_read_out(bec_evaluation* evaluation, double* charges, double* members, double* polarizability,
                            char* error, size_t error_size) {
    return bec::guarded(error, error_size,
                        [&] { evaluation->evaluation.read_out({charges, members, polarizability, nullptr}); });
}
