// Errors that reach the caller as text: what is wrong, why it matters, what to do.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <exception>
#include <new>
#include <stdexcept>
#include <string>

namespace bec {

class Error : public std::runtime_error {
public:
    Error(const std::string& what, const std::string& why, const std::string& fix)
        : std::runtime_error(what + "\n  why: " + why + "\n  fix: " + fix) {}
};

inline void write_error(const char* text, char* buffer, std::size_t size) {
    if (buffer == nullptr || size == 0) return;
    const std::size_t length = std::min(std::strlen(text), size - 1);
    std::memcpy(buffer, text, length);
    buffer[length] = '\0';
}

// Runs `body` and turns exceptions into a status and a text.
template <typename Body>
int guarded(char* error, std::size_t error_size, Body&& body) {
    try {
        body();
        return 0;
    } catch (const std::bad_alloc&) {
        write_error("not enough memory\n  why: the neighbors and features of all atoms are kept in memory\n"
                    "  fix: evaluate fewer frames at once, or use more MPI ranks", error, error_size);
    } catch (const std::exception& failure) {
        write_error(failure.what(), error, error_size);
    } catch (...) {
        write_error("unknown failure in the native evaluator", error, error_size);
    }
    return 1;
}

}  // namespace bec
