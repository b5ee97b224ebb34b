/* What is on the disk when the power goes, names included? Loaded with LD_PRELOAD: of everything under POWER_FROM, POWER_TO keeps what was
   flushed. POWER_TO/f/INODE is a file as it was when it was last flushed, POWER_TO/d/INODE a folder's entries ("INODE kind name", each ended by a
   zero byte) as they were when the folder was. A file that was flushed in a folder that was not has no name, and is not there
   (POSIX.1-2017, fsync; Linux, fsync(2): an explicit fsync on the directory is needed). tests/torture/names.py lays the two together again. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int concerns(int fd)
{
    char link[64], path[PATH_MAX];
    const char *from = getenv("POWER_FROM");
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (!from || !getenv("POWER_TO") || size <= 0)
        return 0;
    path[size] = 0;
    return strncmp(path, from, strlen(from)) == 0;
}

static void contents(int fd, FILE *out)
{
    char link[64], buffer[65536];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    int in = open(link, O_RDONLY);
    ssize_t got;
    while (in >= 0 && (got = read(in, buffer, sizeof buffer)) > 0)
        fwrite(buffer, 1, got, out);
    if (in >= 0)
        close(in);
}

static void entries(int fd, FILE *out)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    DIR *folder = opendir(link);
    struct dirent *one;
    while (folder && (one = readdir(folder)))
        if (strcmp(one->d_name, ".") && strcmp(one->d_name, ".."))
            fprintf(out, "%llu %c %s%c", (unsigned long long)one->d_ino, one->d_type == DT_DIR ? 'd' : 'f', one->d_name, 0);
    if (folder)
        closedir(folder);
}

/* Written under another name first: the power may go in the middle of this, too. */
static void flushed(int fd)
{
    char to[PATH_MAX], partial[PATH_MAX + 32];
    struct stat about;
    if (!concerns(fd) || fstat(fd, &about))
        return;
    int folder = S_ISDIR(about.st_mode);
    snprintf(to, sizeof to, "%s/%c/%llu", getenv("POWER_TO"), folder ? 'd' : 'f', (unsigned long long)about.st_ino);
    snprintf(partial, sizeof partial, "%s.%d.part", to, (int)getpid());
    FILE *out = fopen(partial, "w");
    if (!out)
        return;
    if (folder)
        entries(fd, out);
    else
        contents(fd, out);
    if (!fclose(out))
        rename(partial, to);
}

int fsync(int fd)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    int done = real(fd);
    flushed(fd);
    return done;
}

int fdatasync(int fd)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    int done = real(fd);
    flushed(fd);
    return done;
}
