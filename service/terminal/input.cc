#include "service/terminal/input.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace tokenrelay {
namespace {

constexpr size_t longest_line = 32 << 10;
constexpr int background_poll_ms = 200;

bool somebody_can_type(int fd) {
  struct stat facts {};
  if (fd < 0 || fstat(fd, &facts) != 0) return false;
  return isatty(fd) == 1 || S_ISFIFO(facts.st_mode) || S_ISSOCK(facts.st_mode);
}

// Reading a terminal from the background would stop the process (SIGTTIN).
bool in_background(int fd) {
  return isatty(fd) == 1 && tcgetpgrp(fd) != getpgrp();
}

}  // namespace

ChatInput::ChatInput(int fd, std::function<void(std::string)> on_line) : fd_(fd), on_line_(std::move(on_line)) {
  if (!somebody_can_type(fd)) return;
  if (::pipe2(stop_, O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
  watcher_ = std::thread([this] { watch(); });
}

ChatInput::~ChatInput() {
  if (!watcher_.joinable()) return;
  ::close(stop_[1]);
  watcher_.join();
  ::close(stop_[0]);
}

void ChatInput::watch() {
  while (true) {
    const bool background = in_background(fd_);
    pollfd waits[] = {{stop_[0], POLLIN, 0}, {background ? -1 : fd_, POLLIN, 0}};
    if (::poll(waits, 2, background ? background_poll_ms : -1) < 0 && errno != EINTR) return;
    if (waits[0].revents != 0) return;
    if (waits[1].revents != 0 && !read_some()) return;
  }
}

bool ChatInput::read_some() {
  char bytes[4096];
  const ssize_t got = ::read(fd_, bytes, sizeof bytes);
  if (got < 0) return errno == EINTR || errno == EAGAIN;
  if (got == 0) return false;
  partial_.append(bytes, static_cast<size_t>(got));
  take_lines();
  return true;
}

void ChatInput::take_lines() {
  size_t end;
  while ((end = partial_.find('\n')) != std::string::npos) {
    std::string line = partial_.substr(0, end);
    partial_.erase(0, end + 1);
    if (!line.empty() && line.back() == '\r') line.pop_back();
    const bool blank = line.find_first_not_of(" \t") == std::string::npos;
    if (!std::exchange(too_long_, false) && line.size() <= longest_line && !blank) on_line_(std::move(line));
  }
  if (partial_.size() <= longest_line) return;
  partial_.clear();
  too_long_ = true;
}

}  // namespace tokenrelay
