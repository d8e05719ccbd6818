// The terminal client: one prompt, its answer printed as it comes, resumed by itself when the connection is lost.
//
// Text goes to `out`, everything else (notices, reasoning, errors) to `err`. Ctrl-C cancels: the stream is told to
// stop, what came stays printed; a second Ctrl-C leaves at once. A line typed while the answer runs steers it. Blocks
// its thread; one chat at a time in a process (SIGINT is its own for as long as it runs).
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>

namespace tokenrelay {

struct ChatOptions {
  std::string server = "http://127.0.0.1:8080";
  std::string ca;     // a file in PEM that an https server's certificate is checked with; "": the system's
  std::string model;  // "": the server's default
  std::string prompt;
  bool show_reasoning = false;
  bool show_ids = false;         // a line on err for each event's id
  bool terminal = false;         // out is a terminal: control characters in the answer are left out
  int input_fd = -1;             // where lines are typed (chat_input.h); -1: nowhere
  int64_t give_up_ms = 120'000;  // without an event from the server, in all attempts together
};

// 0: the stream completed or was cancelled; 1: it failed, was interrupted, or the server could not be reached.
int run_chat(const ChatOptions& options, std::ostream& out, std::ostream& err);

}  // namespace tokenrelay
