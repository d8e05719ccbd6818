// What a person sees of a stream: text on one side, everything else on the other. Any thread may call.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "service/json/parse.h"
#include "service/terminal/chat.h"
#include "service/terminal/events.h"

namespace tokenrelay {

class ChatPrinter {
 public:
  ChatPrinter(const ChatOptions& options, std::ostream& out, std::ostream& err)
      : options_(options), out_(out), err_(err) {}

  void event(const ChatEvents::Event& event);
  void notice(std::string_view text);  // a line of its own on err
  void end_line();                     // out ends in a line feed

  bool ended() const;
  int exit_status() const;  // of an ended stream

 private:  // each with mutex_ held
  void show(const ChatEvents::Event& event);
  void say(std::string_view text);
  void break_line();
  void steered(const std::string& content);
  void text(const std::string& delta);
  void tool_call(const json::Value& data);
  void done(std::string_view text);

  const ChatOptions& options_;
  std::ostream &out_, &err_;
  mutable std::mutex mutex_;
  bool inside_line_ = false, err_inside_line_ = false;
  std::optional<int64_t> tool_call_;  // index of the one being shown
  std::optional<int> status_;
};

// Removes control characters except line feed and tab: text from the network must not control the terminal.
std::string printable(std::string_view text);

}  // namespace tokenrelay
