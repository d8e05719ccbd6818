#include "service/log_output.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <string>
#include <thread>

#include "service/log_lines.h"

namespace tokenrelay {

struct LogOutput::State {
  State(int to, bool in_json) : descriptor(to), json(in_json) {}

  const int descriptor;
  const bool json;
  mutable std::mutex mutex;
  std::condition_variable changed;
  std::string pending;
  uint64_t dropped = 0, dropped_told = 0;
  bool writing = false, ending = false;

  void run();
  void write_all(const std::string& lines) const;
};

// Another process that shares the descriptor may have made it non-blocking.
void LogOutput::State::write_all(const std::string& lines) const {
  for (size_t written = 0; written < lines.size();) {
    const ssize_t got = ::write(descriptor, lines.data() + written, lines.size() - written);
    if (got >= 0) {
      written += static_cast<size_t>(got);
    } else if (errno == EAGAIN) {
      pollfd room{descriptor, POLLOUT, 0};
      ::poll(&room, 1, -1);
    } else if (errno != EINTR) {
      return;  // closed: the lines are lost
    }
  }
}

void LogOutput::State::run() {
  std::unique_lock lock(mutex);
  for (;;) {
    changed.wait(lock, [this] { return ending || !pending.empty(); });
    if (pending.empty()) return;
    std::string lines = std::exchange(pending, {});
    if (dropped > dropped_told) {
      lines += dropped_line(dropped - dropped_told, json);
      dropped_told = dropped;
    }
    writing = true;
    lock.unlock();
    write_all(lines);
    lock.lock();
    writing = false;
    changed.notify_all();
  }
}

LogOutput::LogOutput(int descriptor, bool json) : state_(std::make_shared<State>(descriptor, json)) {
  std::thread([state = state_] { state->run(); }).detach();  // joining it could wait for ever
}

LogOutput::~LogOutput() {
  const std::lock_guard lock(state_->mutex);
  state_->ending = true;
  state_->changed.notify_all();
}

void LogOutput::sink_it_(const spdlog::details::log_msg& message) {
  spdlog::memory_buf_t line;
  formatter_->format(message, line);
  const std::lock_guard lock(state_->mutex);
  if (state_->pending.size() + line.size() > pending_bytes_max) {
    ++state_->dropped;
    return;
  }
  const bool asleep = state_->pending.empty();
  state_->pending.append(line.data(), line.size());
  if (asleep) state_->changed.notify_all();
}

uint64_t LogOutput::dropped() const {
  const std::lock_guard lock(state_->mutex);
  return state_->dropped;
}

void LogOutput::drain(int64_t within_ms) {
  std::unique_lock lock(state_->mutex);
  state_->changed.wait_for(lock, std::chrono::milliseconds(within_ms),
                           [this] { return state_->pending.empty() && !state_->writing; });
}

}  // namespace tokenrelay
