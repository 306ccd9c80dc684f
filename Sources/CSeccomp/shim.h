#include <seccomp.h>

// Macros with casts, which Swift does not import.
static const uint32_t cseccomp_allow = SCMP_ACT_ALLOW;
static inline uint32_t cseccomp_errno(uint32_t number) { return SCMP_ACT_ERRNO(number); }
