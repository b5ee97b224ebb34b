/* How much is written to files, and how often is it flushed? Loaded with LD_PRELOAD; adds up in the file WRITTEN_COUNT: bytes, then flushes. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static uint64_t *counters(void)
{
    static uint64_t *found;
    if (!found) {
        const char *file = getenv("WRITTEN_COUNT");
        int fd = file ? open(file, O_RDWR) : -1;
        void *at = fd < 0 ? MAP_FAILED : mmap(0, 16, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        static uint64_t nowhere[2];
        found = at == MAP_FAILED ? nowhere : at;
        if (fd >= 0)
            close(fd);
    }
    return found;
}

static ssize_t count(int fd, ssize_t size)
{
    struct stat about;
    if (size > 0 && !fstat(fd, &about) && S_ISREG(about.st_mode))
        __atomic_add_fetch(counters(), (uint64_t)size, __ATOMIC_RELAXED);
    return size;
}

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

ssize_t write(int fd, const void *data, size_t size) { REAL(write); return count(fd, real(fd, data, size)); }
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { REAL(pwrite); return count(fd, real(fd, data, size, at)); }
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) { REAL(pwrite64); return count(fd, real(fd, data, size, at)); }
ssize_t writev(int fd, const struct iovec *parts, int many) { REAL(writev); return count(fd, real(fd, parts, many)); }
ssize_t pwritev(int fd, const struct iovec *parts, int many, off_t at) { REAL(pwritev); return count(fd, real(fd, parts, many, at)); }

int fsync(int fd)
{
    REAL(fsync);
    __atomic_add_fetch(counters() + 1, 1, __ATOMIC_RELAXED);
    return real(fd);
}

int fdatasync(int fd)
{
    REAL(fdatasync);
    __atomic_add_fetch(counters() + 1, 1, __ATOMIC_RELAXED);
    return real(fd);
}
