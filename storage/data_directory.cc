#include "storage/data_directory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>

namespace tokenrelay::storage {
namespace {

constexpr mode_t others = 077;
constexpr const char* own_name = "tokenrelay";

Error io_error(const std::string& doing) {
  return {Errc::io, "cannot " + doing + ": " + std::strerror(errno)};
}

std::string parent_of(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path();
  return parent.empty() ? "." : parent;
}

// A directory that was made must still be there after a power cut: events in it have been reported as durable.
void sync_directory(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;  // a parent that may be entered but not read
  fsync(fd);
  close(fd);
}

// True: it was made; false: something of that name is there.
Result<bool> make_directory(const std::string& path, mode_t mode) {
  if (mkdir(path.c_str(), mode) == 0) {
    sync_directory(parent_of(path));
    return true;
  }
  if (errno == EEXIST) return false;
  const std::string parent = parent_of(path);
  if (errno != ENOENT || parent == path) return tl::unexpected(io_error("create " + path));
  if (auto made = make_directory(parent, 0777); !made) return made;
  if (mkdir(path.c_str(), mode) != 0) return tl::unexpected(io_error("create " + path));
  sync_directory(parent);
  return true;
}

// Prompts and answers are private, even in a directory that an operator created with an ordinary umask.
Result<std::string> make_private(const std::string& directory, const struct stat& st) {
  if ((st.st_mode & others) != 0 && chmod(directory.c_str(), 0700) != 0) {
    return tl::unexpected(io_error("make " + directory + " private"));
  }
  return directory;
}

bool is_ours(const struct stat& st) {
  return st.st_uid == geteuid();
}

bool holds_our_log(const std::string& directory) {
  struct stat st {};
  return lstat((directory + "/log.db").c_str(), &st) == 0 && S_ISREG(st.st_mode) && is_ours(st);
}

bool is_empty(const std::string& directory) {
  std::error_code failed;
  return std::filesystem::is_empty(directory, failed) && !failed;
}

// Root may write everywhere; into a directory that is its owner's alone it should not.
bool is_shared_with_us(const std::string& directory, const struct stat& st) {
  if (is_ours(st)) return true;
  if (geteuid() == 0 && (st.st_mode & 022) == 0) return false;
  return access(directory.c_str(), W_OK | X_OK) == 0;
}

Error foreign(const std::string& path, const struct stat& st) {
  return {Errc::io, path + " belongs to user " + std::to_string(st.st_uid) + ", and this process runs as user " +
                        std::to_string(geteuid()) +
                        ": name a directory of its own, or give this one to that user with chown"};
}

std::optional<Error> fault_of(const std::string& path, const struct stat& st) {
  if (S_ISLNK(st.st_mode)) {
    return Error{Errc::io, path + " is a symbolic link: remove it, or move the file it names here"};
  }
  if (!S_ISREG(st.st_mode)) return Error{Errc::io, path + " is not a regular file: remove it"};
  if (st.st_nlink > 1) {  // a hard link: the other name may be a file that somebody needs
    return Error{Errc::io, path + " is a hard link, a file with several names: put a copy of it here, or remove it"};
  }
  if (is_ours(st)) return std::nullopt;
  return Error{Errc::io, path + " belongs to user " + std::to_string(st.st_uid) + ", and this process runs as user " +
                             std::to_string(geteuid()) +
                             ": give the log's files to that user with chown, or name another directory"};
}

Result<std::string> claim_below(const std::string& below) {
  const auto made = make_directory(below, 0700);
  if (!made) return tl::unexpected(made.error());
  struct stat st {};
  if (lstat(below.c_str(), &st) != 0) return tl::unexpected(io_error("read " + below));
  if (!S_ISDIR(st.st_mode)) {
    return tl::unexpected(Error{Errc::io, below + " is not a directory: remove it, or name another directory"});
  }
  if (!is_ours(st)) return tl::unexpected(foreign(below, st));
  return make_private(below, st);
}

}  // namespace

Result<std::string> claim_directory(std::string directory) {
  while (directory.size() > 1 && directory.back() == '/') directory.pop_back();
  const auto made = make_directory(directory, 0700);
  if (!made) return tl::unexpected(made.error());
  struct stat st {};
  if (stat(directory.c_str(), &st) != 0) return tl::unexpected(io_error("read " + directory));
  if (!S_ISDIR(st.st_mode)) return tl::unexpected(Error{Errc::io, directory + " is not a directory"});
  const bool has_log = holds_our_log(directory);
  if (is_ours(st) && (has_log || (st.st_mode & others) == 0 || is_empty(directory))) return make_private(directory, st);
  if (has_log) return directory;  // of a former version, which took any directory
  if (!is_shared_with_us(directory, st)) return tl::unexpected(foreign(directory, st));
  // Beside another user's log: the streams that clients still ask for would seem to be gone.
  if (auto checked = check_private_file(directory + "/log.db"); !checked) return tl::unexpected(checked.error());
  return claim_below(directory + "/" + own_name);
}

Result<int> open_private_file(const std::string& path) {
  if (auto checked = check_private_file(path); !checked) return tl::unexpected(checked.error());
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return tl::unexpected(io_error("open " + path));
  struct stat st {};
  std::optional<Error> wrong;
  if (fstat(fd, &st) != 0) wrong = io_error("read " + path);
  if (!wrong) wrong = fault_of(path, st);
  if (!wrong && (st.st_mode & others) != 0 && fchmod(fd, 0600) != 0) wrong = io_error("make " + path + " private");
  if (!wrong) return fd;
  close(fd);
  return tl::unexpected(*wrong);
}

Result<void> check_private_file(const std::string& path) {
  struct stat st {};
  if (lstat(path.c_str(), &st) != 0) {
    if (errno == ENOENT) return {};
    return tl::unexpected(io_error("read " + path));
  }
  if (auto wrong = fault_of(path, st)) return tl::unexpected(std::move(*wrong));
  return {};
}

}  // namespace tokenrelay::storage
