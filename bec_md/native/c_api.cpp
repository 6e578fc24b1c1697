#include <algorithm>
#include <memory>
#include <sstream>
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
    bec::ThreadPool pool;
    bec::Evaluation evaluation;
};

#ifndef BEC_SOURCE_HASH
#define BEC_SOURCE_HASH ""
#endif

namespace {

const bec::Head& head_named(const bec::Model& model, const std::string& name) {
    const bec::Head* head = model.head(name);
    if (head == nullptr)
        throw bec::Error("the model has no read-out " + name, "read-outs are found by name",
                         "bec_model_readout lists those of the model");
    return *head;
}

std::vector<const bec::Head*> heads_named(const bec::Model& model, const char* names) {
    std::vector<const bec::Head*> heads;
    std::istringstream words(names != nullptr ? names : "");
    for (std::string name; words >> name;) heads.push_back(&head_named(model, name));
    return heads;
}

}  // namespace

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

const char* bec_model_readout(const bec_model* model, int index) {
    const auto& heads = model->frames.model().heads;
    return index >= 0 && index < static_cast<int>(heads.size()) ? heads[static_cast<std::size_t>(index)].name.c_str() : nullptr;
}

int bec_model_members(const bec_model* model, const char* readout) {
    const bec::Head* head = model->frames.model().head(readout);
    return head != nullptr ? head->members : 0;
}

int bec_model_ionic_charges(const bec_model* model, double* charge, char* error, size_t error_size) {
    return bec::guarded(error, error_size, [&] {
        const bec::Head& dipole = head_named(model->frames.model(), "dipole");
        std::copy(dipole.shift.begin(), dipole.shift.end(), charge);
    });
}

int bec_model_message_width(const bec_model* model, int layer) { return model->frames.model().message_width(layer); }

int bec_evaluate_frames(const bec_model* model, const bec_frames* frames, int n_threads, int sum_rule,
                        const bec_output* outputs, int n_outputs, bec_profile* profile, char* error,
                        size_t error_size) {
    return bec::guarded(error, error_size, [&] {
        model->frames.evaluate(*frames, n_threads, sum_rule != 0, outputs, n_outputs, profile);
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

void bec_couple(int64_t n_atoms, int channels, int rows, int left_components, int right_components,
                const bec_coupling_entry* entries, const int32_t* ends, const float* left, const float* right,
                float* out) {
    const bec::Kernels& kernels = bec::kernels();
    for (int64_t atom = 0; atom < n_atoms; ++atom)
        kernels.couple({entries, ends, rows, 1, channels, left + atom * left_components * channels,
                        right + atom * right_components * channels, out + atom * rows * channels});
}

void bec_send_harmonics(const bec_messages* edges, const float* y, const float* w, float* out) {
    bec::kernels().send_harmonics(*edges, y, w, out);
}

void bec_send_tensors(const bec_messages* edges, const float* t, const float* w, float* out) {
    bec::kernels().send_tensors(*edges, t, w, out);
}

void bec_weigh_harmonics(const bec_messages* edges, const float* sum, const float* y, float* w) {
    bec::kernels().weigh_harmonics(*edges, sum, y, w);
}

void bec_weigh_tensors(const bec_messages* edges, const float* sum, const float* t, float* w) {
    bec::kernels().weigh_tensors(*edges, sum, t, w);
}

void bec_project_harmonics(const bec_messages* edges, const float* sum, const float* w, float* y) {
    bec::kernels().project_harmonics(*edges, sum, w, y);
}

bec_evaluation* bec_evaluation_create(const bec_model* model, const char* readouts, int n_threads, char* error,
                                      size_t error_size) {
    bec_evaluation* evaluation = nullptr;
    bec::guarded(error, error_size, [&] {
        const bec::Model& network = model->frames.model();
        const auto heads = heads_named(network, readouts);
        evaluation = new bec_evaluation{bec::ThreadPool(n_threads), bec::Evaluation(network)};
        evaluation->evaluation.want(heads);
    });
    return evaluation;
}

void bec_evaluation_free(bec_evaluation* evaluation) { delete evaluation; }

int bec_evaluation_begin(bec_evaluation* evaluation, const bec_graph* graph, char* error, size_t error_size) {
    return bec::guarded(error, error_size, [&] { evaluation->evaluation.begin(*graph, evaluation->pool); });
}

int bec_evaluation_layer(bec_evaluation* evaluation, int layer, const float* messages_in, float* messages_out,
                         char* error, size_t error_size) {
    return bec::guarded(error, error_size, [&] { evaluation->evaluation.layer(layer, messages_in, messages_out); });
}

int bec_evaluation_read_out(bec_evaluation* evaluation, const char* readout, double* values, double* members,
                            char* error, size_t error_size) {
    return bec::guarded(error, error_size, [&] {
        evaluation->evaluation.read_out({&head_named(evaluation->evaluation.model(), readout), values, members, nullptr});
    });
}

int bec_evaluation_start_sweep(bec_evaluation* evaluation, int lanes, const double* directions, int member, char* error,
                               size_t error_size) {
    return bec::guarded(error, error_size, [&] {
        bec::Sweep sweep{lanes, {}, member};
        for (int i = 0; i < 3 * std::min(lanes, 3); ++i) sweep.direction[i / 3][i % 3] = static_cast<float>(directions[i]);
        evaluation->evaluation.start_sweep(sweep);
    });
}

int bec_evaluation_layer_adjoint(bec_evaluation* evaluation, int layer, const float* messages_in, const float* of_sent,
                                 float* of_messages, char* error, size_t error_size) {
    return bec::guarded(error, error_size, [&] {
        evaluation->evaluation.layer_adjoint(layer, messages_in, of_sent, of_messages);
    });
}

int bec_evaluation_gradient(const bec_evaluation* evaluation, double* gradient, char* error, size_t error_size) {
    return bec::guarded(error, error_size, [&] { evaluation->evaluation.write_gradient(gradient); });
}
