// Faults of the disk and of the system's resolver, on demand. Preloaded into the relay by end-to-end tests; of files it
// acts on those under TR_FAULT_DATA only, and looks for what to do in the directory TR_FAULT_DIR at every call:
//
//   sync_delay_ms   fsync and fdatasync take so many milliseconds more (the file's content), before they sync
//   fail_sync       fsync and fdatasync fail with EIO, without syncing
//   no_space        whatever would make a file longer fails with ENOSPC
//   lookup_ms       getaddrinfo of a name that ends in ".slow" takes so many milliseconds, then fails
//   hang_sync       fsync and fdatasync do not return while the file is there
//
// Every sync is counted in TR_FAULT_DIR/syncs (one byte each), so that a test can see that there were any.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int under_data(int fd) {
  const char* root = getenv("TR_FAULT_DATA");
  if (root == NULL) return 0;
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t n = readlink(link, path, sizeof path - 1);
  if (n <= 0) return 0;
  path[n] = '\0';
  return strncmp(path, root, strlen(root)) == 0;
}

static int open_fault(const char* name, int flags) {
  const char* dir = getenv("TR_FAULT_DIR");
  if (dir == NULL) return -1;
  char path[PATH_MAX];
  snprintf(path, sizeof path, "%s/%s", dir, name);
  return open(path, flags | O_CLOEXEC, 0600);
}

static int armed(const char* name) {
  const int kept = errno, fd = open_fault(name, O_RDONLY);
  if (fd >= 0) close(fd);
  errno = kept;
  return fd >= 0;
}

static void pause_ms(long ms) {
  const struct timespec t = {ms / 1000, ms % 1000 * 1000000};
  nanosleep(&t, NULL);
}

static long milliseconds_in(const char* name) {
  const int fd = open_fault(name, O_RDONLY);
  char text[16] = "";
  if (fd < 0) return 0;
  const ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  return n > 0 ? atol(text) : 0;
}

static void count_sync(void) {
  const int fd = open_fault("syncs", O_WRONLY | O_CREAT | O_APPEND);
  if (fd < 0) return;
  const ssize_t n = REAL(write)(fd, "s", 1);
  (void)n;
  close(fd);
}

static int before_sync(int fd) {
  if (!under_data(fd)) return 0;
  pause_ms(milliseconds_in("sync_delay_ms"));
  while (armed("hang_sync")) pause_ms(10);
  if (armed("fail_sync")) {
    errno = EIO;
    return -1;
  }
  count_sync();
  return 0;
}

int fsync(int fd) { return before_sync(fd) != 0 ? -1 : REAL(fsync)(fd); }
int fdatasync(int fd) { return before_sync(fd) != 0 ? -1 : REAL(fdatasync)(fd); }

static int no_room(int fd, off_t end) {
  struct stat s;
  if (!armed("no_space") || !under_data(fd) || fstat(fd, &s) != 0 || end <= s.st_size) return 0;
  errno = ENOSPC;
  return 1;
}

ssize_t pwrite(int fd, const void* bytes, size_t n, off_t at) {
  return no_room(fd, at + (off_t)n) ? -1 : REAL(pwrite)(fd, bytes, n, at);
}
ssize_t pwrite64(int fd, const void* bytes, size_t n, off64_t at) {
  return no_room(fd, at + (off_t)n) ? -1 : REAL(pwrite64)(fd, bytes, n, at);
}
int ftruncate(int fd, off_t size) { return no_room(fd, size) ? -1 : REAL(ftruncate)(fd, size); }
int ftruncate64(int fd, off64_t size) { return no_room(fd, size) ? -1 : REAL(ftruncate64)(fd, size); }
int posix_fallocate(int fd, off_t at, off_t n) { return no_room(fd, at + n) ? ENOSPC : REAL(posix_fallocate)(fd, at, n); }
int posix_fallocate64(int fd, off64_t at, off64_t n) {
  return no_room(fd, at + n) ? ENOSPC : REAL(posix_fallocate64)(fd, at, n);
}
int fallocate(int fd, int mode, off_t at, off_t n) { return no_room(fd, at + n) ? -1 : REAL(fallocate)(fd, mode, at, n); }

ssize_t write(int fd, const void* bytes, size_t n) {
  struct stat s;
  // Only regular files: sockets and pipes must stay as fast as they are.
  if (armed("no_space") && fstat(fd, &s) == 0 && S_ISREG(s.st_mode) && no_room(fd, lseek(fd, 0, SEEK_CUR) + (off_t)n)) {
    return -1;
  }
  return REAL(write)(fd, bytes, n);
}

int getaddrinfo(const char* host, const char* port, const struct addrinfo* hints, struct addrinfo** list) {
  const size_t n = host == NULL ? 0 : strlen(host);
  if (n < 5 || strcmp(host + n - 5, ".slow") != 0) return REAL(getaddrinfo)(host, port, hints, list);
  pause_ms(milliseconds_in("lookup_ms"));
  return EAI_AGAIN;
}
