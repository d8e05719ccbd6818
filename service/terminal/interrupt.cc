#include "service/terminal/interrupt.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <system_error>

namespace tokenrelay {
namespace {

// All that the signal handler uses: the pipe that wakes the watcher, and whether it was woken before.
std::atomic<int> write_end{-1};
std::atomic<int> interrupts{0};

void on_interrupt(int) {
  const int saved = errno;
  if (interrupts.fetch_add(1) > 0) _exit(130);
  const char byte = 'i';
  [[maybe_unused]] const auto written = ::write(write_end.load(), &byte, 1);
  errno = saved;
}

}  // namespace

ChatInterrupt::ChatInterrupt(std::function<void()> first) : first_(std::move(first)) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
  read_end_ = ends[0];
  write_end = ends[1];
  interrupts = 0;
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, &old_interrupt_);
  action.sa_handler = SIG_IGN;  // a server that closes while we write must give an error, not kill us
  sigaction(SIGPIPE, &action, &old_pipe_);
  watcher_ = std::thread([this] { watch(); });
}

ChatInterrupt::~ChatInterrupt() {
  sigaction(SIGINT, &old_interrupt_, nullptr);
  sigaction(SIGPIPE, &old_pipe_, nullptr);
  ::close(write_end.exchange(-1));
  watcher_.join();
  ::close(read_end_);
}

void ChatInterrupt::watch() {
  char byte;
  ssize_t got;
  do {
    got = ::read(read_end_, &byte, 1);
  } while (got < 0 && errno == EINTR);
  if (got == 1) first_();
}

}  // namespace tokenrelay
