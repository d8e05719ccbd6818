#include "service/terminal/chat.h"

#include "service/terminal/input.h"
#include "service/terminal/interrupt.h"
#include "service/terminal/session.h"

namespace tokenrelay {

int run_chat(const ChatOptions& options, std::ostream& out, std::ostream& err) {
  ChatSession session(options, out, err);
  const ChatInterrupt interrupt([&] { session.cancel(); });
  const ChatInput input(options.input_fd, [&](std::string line) { session.steer(std::move(line)); });
  return session.run();
}

}  // namespace tokenrelay
