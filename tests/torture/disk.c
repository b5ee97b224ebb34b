/* A disk that is full or read-only, as long as the file DISK_TROUBLE says so ("full", "readonly"). Loaded with LD_PRELOAD; it concerns files below
   DISK_FOLDER. Works as root and without a file system of its own. A full disk refuses what makes a file longer, and lets what is there be overwritten. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static char trouble(void)
{
    const char *file = getenv("DISK_TROUBLE");
    if (!file || access(file, F_OK))
        return 0;
    int (*real_open)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open");
    int fd = real_open(file, O_RDONLY);
    char first = 0;
    if (fd >= 0) {
        if (read(fd, &first, 1) != 1)
            first = 0;
        close(fd);
    }
    return first; /* 'f' or 'r' */
}

static int below(const char *path)
{
    const char *folder = getenv("DISK_FOLDER");
    return folder && !strncmp(path, folder, strlen(folder));
}

static int concerns(int fd)
{
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, PATH_MAX - 1);
    if (size <= 0)
        return 0;
    path[size] = 0;
    return below(path);
}

/* errno of a write that ends at this offset, 0 when it may be done. */
static int refused(int fd, off_t end)
{
    struct stat about;
    char how = trouble();
    if (!how || !concerns(fd) || fstat(fd, &about) || !S_ISREG(about.st_mode))
        return 0;
    return how == 'r' ? EROFS : end > about.st_size ? ENOSPC : 0;
}

static off_t place(int fd)
{
    struct stat about;
    if (fcntl(fd, F_GETFL) & O_APPEND)
        return fstat(fd, &about) ? 0 : about.st_size;
    return lseek(fd, 0, SEEK_CUR);
}

#define TRY(end) do { int why = refused(fd, (end)); if (why) { errno = why; return -1; } } while (0)
#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

ssize_t write(int fd, const void *data, size_t size)
{
    REAL(write);
    if (fd > 2)
        TRY(place(fd) + (off_t)size);
    return real(fd, data, size);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at)
{
    REAL(pwrite);
    TRY(at + (off_t)size);
    return real(fd, data, size, at);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at)
{
    REAL(pwrite64);
    TRY(at + (off_t)size);
    return real(fd, data, size, at);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at)
{
    REAL(pwritev);
    off_t size = 0;
    for (int n = 0; n < count; n++)
        size += parts[n].iov_len;
    TRY(at + size);
    return real(fd, parts, count, at);
}

int ftruncate(int fd, off_t size)
{
    REAL(ftruncate);
    TRY(size);
    return real(fd, size);
}

int ftruncate64(int fd, off64_t size)
{
    REAL(ftruncate64);
    TRY(size);
    return real(fd, size);
}

int posix_fallocate(int fd, off_t at, off_t size)
{
    REAL(posix_fallocate);
    int why = refused(fd, at + size);
    return why ? why : real(fd, at, size);
}

int open(const char *path, int flags, ...)
{
    REAL(open);
    va_list more;
    va_start(more, flags);
    mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0;
    va_end(more);
    if ((flags & (O_CREAT | O_WRONLY | O_RDWR)) && below(path) && trouble() == 'r') {
        errno = EROFS;
        return -1;
    }
    return real(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0;
    va_end(more);
    return open(path, flags, mode);
}
