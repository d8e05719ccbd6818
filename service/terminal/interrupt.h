// Handles SIGINT while this object lives: a watcher thread calls `first` at the first one and _exit(130) at the second.
#pragma once

#include <signal.h>

#include <functional>
#include <thread>

namespace tokenrelay {

class ChatInterrupt {
 public:
  explicit ChatInterrupt(std::function<void()> first);  // runs on the watcher's thread
  ~ChatInterrupt();
  ChatInterrupt(const ChatInterrupt&) = delete;
  ChatInterrupt& operator=(const ChatInterrupt&) = delete;

 private:
  void watch();

  std::function<void()> first_;
  int read_end_ = -1;
  struct sigaction old_interrupt_ {
  }, old_pipe_{};
  std::thread watcher_;
};

}  // namespace tokenrelay
