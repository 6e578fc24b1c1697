// Time spent in a scope, when somebody wants to know.
#pragma once

#include <ctime>

namespace bec {

class Lap {
public:
    // Adds the seconds until the end of the scope to *total, unless it is nullptr.
    explicit Lap(double* total) : total_(total), start_(total != nullptr ? now() : 0.0) {}
    ~Lap() {
        if (total_ != nullptr) *total_ += now() - start_;
    }
    Lap(const Lap&) = delete;
    Lap& operator=(const Lap&) = delete;

private:
    double* total_;
    double start_;

    static double now() {
        timespec time;
        clock_gettime(CLOCK_MONOTONIC, &time);
        return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
    }
};

}  // namespace bec
