#include "storage/reserve_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "storage/data_directory.h"

namespace tokenrelay::storage {

void ReserveFile::hold() {
  if (held_ || bytes_ == 0) return;
  const auto opened = open_private_file(path_);
  if (!opened) return;
  const int fd = *opened;
  struct stat st {};
  if (fstat(fd, &st) == 0 && static_cast<uint64_t>(st.st_blocks) * 512 >= bytes_) held_ = true;
  struct statvfs disk {};
  if (!held_ && fstatvfs(fd, &disk) == 0 && disk.f_bavail * disk.f_frsize >= 4 * bytes_) {
    // Allocated blocks, not a hole: only those can be given back.
    held_ = posix_fallocate(fd, 0, static_cast<off_t>(bytes_)) == 0;
  }
  close(fd);
  if (!held_) unlink(path_.c_str());
}

void ReserveFile::yield() {
  struct statvfs disk {};
  if (statvfs(path_.c_str(), &disk) == 0 && disk.f_bavail * disk.f_frsize < bytes_) unlink(path_.c_str());
}

bool ReserveFile::release() {
  if (!held_) return false;
  held_ = false;
  return unlink(path_.c_str()) == 0;
}

}  // namespace tokenrelay::storage
