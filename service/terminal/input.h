// Lines typed while an answer runs: a watcher thread reads a descriptor and calls `on_line` for each that is not blank.
//
// Only where somebody can type: a terminal (whose foreground this process has) or a pipe or socket. Never a file, which
// belongs to whatever runs the chat in a loop. At the end of the input it reads no more, and the chat goes on. A line
// over 32 KiB is dropped.
#pragma once

#include <functional>
#include <string>
#include <thread>

namespace tokenrelay {

class ChatInput {
 public:
  ChatInput(int fd, std::function<void(std::string)> on_line);  // fd -1: none; on_line runs on the watcher's thread
  ~ChatInput();                                                 // waits for an on_line that runs
  ChatInput(const ChatInput&) = delete;
  ChatInput& operator=(const ChatInput&) = delete;

 private:
  void watch();
  bool read_some();  // false: the end
  void take_lines();

  const int fd_;
  std::function<void(std::string)> on_line_;
  std::string partial_;
  bool too_long_ = false;
  int stop_[2] = {-1, -1};
  std::thread watcher_;
};

}  // namespace tokenrelay
