// Lines typed while an answer runs: a watcher thread reads a descriptor and calls `on_line` for each that is not blank.
//
// Only from a terminal (while this process is in its foreground), a pipe or a socket. Never from a file: it may be the
// input of a shell loop that runs the chat. At the end of the input the chat continues. A line over 32 KiB is dropped.
#pragma once

#include <functional>
#include <string>
#include <thread>

namespace tokenrelay {

class ChatInput {
 public:
  ChatInput(int fd, std::function<void(std::string)> on_line);  // fd -1: none; on_line runs on the watcher's thread
  ~ChatInput();                                                 // waits for a running on_line
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
