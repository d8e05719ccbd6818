// The terminal client: sends one prompt and prints the answer as it arrives, resuming after a lost connection.
//
// Text goes to `out`, everything else (notices, reasoning, errors) to `err`. Ctrl-C cancels the stream; the text so far
// stays printed. A second Ctrl-C exits at once. A line typed while the answer runs steers it. Blocks its thread; one
// chat at a time in a process (it handles SIGINT while it runs).
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>

namespace tokenrelay {

struct ChatOptions {
  std::string server = "http://127.0.0.1:8080";
  std::string ca;     // PEM file to check an https server's certificate with; "": the system's
  std::string model;  // "": the server's default
  std::string prompt;
  bool show_reasoning = false;
  bool show_ids = false;         // a line on err for each event's id
  bool terminal = false;         // out is a terminal: control characters in the answer are left out
  int input_fd = -1;             // where lines are typed (input.h); -1: nowhere
  int64_t give_up_ms = 120'000;  // without an event from the server, over all attempts
};

// 0: the stream completed or was cancelled; 1: it failed, was interrupted, or the server could not be reached.
int run_chat(const ChatOptions& options, std::ostream& out, std::ostream& err);

}  // namespace tokenrelay
