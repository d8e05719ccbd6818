#include "storage/directory_lock.h"

#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "storage/data_directory.h"

namespace tokenrelay::storage {
namespace {

Error io_error(const std::string& doing) {
  return {Errc::io, "cannot " + doing + ": " + std::strerror(errno)};
}

std::string holder(int fd) {
  char pid[32] = {};
  ssize_t n = pread(fd, pid, sizeof pid - 1, 0);
  std::string text(pid, n > 0 ? static_cast<size_t>(n) : 0);
  return text.substr(0, text.find('\n'));
}

}  // namespace

Result<DirectoryLock> DirectoryLock::take(const std::string& directory) {
  std::string path = directory + "/lock";
  const auto opened = open_private_file(path);
  if (!opened) return tl::unexpected(opened.error());
  const int fd = *opened;
  DirectoryLock lock(fd);
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return tl::unexpected(io_error("lock " + path));
    return tl::unexpected(Error{Errc::locked, directory + " is in use by process " + holder(fd)});
  }
  std::string pid = std::to_string(getpid()) + "\n";
  if (ftruncate(fd, 0) != 0 || pwrite(fd, pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    return tl::unexpected(io_error("write " + path));
  }
  return lock;
}

DirectoryLock::DirectoryLock(DirectoryLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

DirectoryLock& DirectoryLock::operator=(DirectoryLock&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

DirectoryLock::~DirectoryLock() {
  if (fd_ >= 0) close(fd_);
}

}  // namespace tokenrelay::storage
