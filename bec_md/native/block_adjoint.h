// One layer for one block of atoms, transposed: from adjoints of the state after it to those of the state before
// it, of the messages, and to derivatives by the positions. The layer is evaluated anew, nothing is kept of it.
#pragma once

#include "block.h"

namespace bec {

class BlockAdjoint : private BlockWork {
public:
    BlockAdjoint(Evaluation& evaluation, std::int64_t block, Scratch& scratch, const Layer& layer);

    // of_sent as in Evaluation::layer_adjoint; of_messages and gradient are added to.
    void run(const float* messages_in, const float* of_sent, float* of_messages, float* gradient);

private:
    const Layer& layer_;
    const LayerAdjoint& maps_;
    const Sweep& sweep_;
    int adjoints_;     // lanes
    float* of_state_;  // [12][lane][atom][channel]

    std::int64_t of_row(int row) const { return row * adjoints_ * length_; }
    // Whether adjoints of an irrep after the layer differ from zero.
    bool reached(int irrep) const { return !layer_.last || irrep == i0e || irrep == i1o; }
    void evaluate(const float* messages_in);
    void seed();
    void unsend(const float* of_sent);
    void gate();
    void products();
    void product(const ProductAdjoint& maps, int irrep, const float* of_result, const float* left, const float* right,
                 float* of_left, float* of_right);
    void inputs();
    float* target(int irrep, int place);
    void unscale(int irrep);
    void gather(const float* messages_in, float* of_messages, float* gradient);
};

}  // namespace bec
