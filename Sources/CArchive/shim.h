#ifndef SWARM_CARCHIVE_SHIM_H
#define SWARM_CARCHIVE_SHIM_H

#include <archive.h>
#include <archive_entry.h>
#include <locale.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

// Swift's Glibc module shows neither syncfs (it needs _GNU_SOURCE) nor the variadic syscall nor function-like macros.
static inline int image_syncfs(int descriptor) { return (int)syscall(SYS_syncfs, descriptor); }
static inline dev_t image_makedev(unsigned int major, unsigned int minor) { return makedev(major, minor); }
static inline locale_t image_utf8_locale(void) { return newlocale(LC_ALL_MASK, "C.UTF-8", (locale_t)0); }

#endif
