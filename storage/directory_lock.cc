#include "storage/directory_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

namespace tokenrelay::storage {
namespace {

Error io_error(const std::string& doing) {
  return {Errc::io, "cannot " + doing + ": " + std::strerror(errno)};
}

Result<void> make_private(const std::string& directory) {
  std::error_code failed;
  std::filesystem::path parent = std::filesystem::path(directory).parent_path();
  if (!parent.empty()) std::filesystem::create_directories(parent, failed);
  if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) return tl::unexpected(io_error("create " + directory));
  struct stat st {};
  if (stat(directory.c_str(), &st) != 0) return tl::unexpected(io_error("read " + directory));
  if (!S_ISDIR(st.st_mode)) return tl::unexpected(Error{Errc::io, directory + " is not a directory"});
  // Prompts and answers are private, even in a directory that an operator created with an ordinary umask.
  if ((st.st_mode & 077) != 0 && chmod(directory.c_str(), 0700) != 0) {
    return tl::unexpected(io_error("make " + directory + " private"));
  }
  return {};
}

std::string holder(int fd) {
  char pid[32] = {};
  ssize_t n = pread(fd, pid, sizeof pid - 1, 0);
  std::string text(pid, n > 0 ? static_cast<size_t>(n) : 0);
  return text.substr(0, text.find('\n'));
}

}  // namespace

Result<DirectoryLock> DirectoryLock::take(const std::string& directory) {
  if (auto made = make_private(directory); !made) return tl::unexpected(made.error());
  std::string path = directory + "/lock";
  int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return tl::unexpected(io_error("open " + path));
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
