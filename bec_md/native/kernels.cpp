#include "kernels.h"

#include <cstdlib>
#include <cstring>

namespace bec {

int panel_width(int outputs_left) { return outputs_left >= 32 ? 32 : outputs_left >= 16 ? 16 : 8; }

namespace {

const Kernels& choose() {
#if defined(__x86_64__) && defined(__GNUC__)
    const char* wish = std::getenv("BEC_MD_INSTRUCTION_SET");  // for tests: a lower set than the machine's
    const bool any = wish == nullptr || *wish == '\0';
    __builtin_cpu_init();
    const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    const bool has_avx512 = has_avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                            __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                            __builtin_cpu_supports("avx512cd");
    if (has_avx512 && (any || std::strcmp(wish, "avx512") == 0)) return avx512::table();
    if (has_avx2 && (any || std::strcmp(wish, "baseline") != 0)) return avx2::table();
#endif
    return baseline::table();
}

}  // namespace

const Kernels& kernels() {
    static const Kernels& chosen = choose();
    return chosen;
}

}  // namespace bec
