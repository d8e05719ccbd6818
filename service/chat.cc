#include "service/chat.h"

#include "service/chat_input.h"
#include "service/chat_interrupt.h"
#include "service/chat_session.h"

namespace tokenrelay {

int run_chat(const ChatOptions& options, std::ostream& out, std::ostream& err) {
  ChatSession session(options, out, err);
  const ChatInterrupt interrupt([&] { session.cancel(); });
  const ChatInput input(options.input_fd, [&](std::string line) { session.steer(std::move(line)); });
  return session.run();
}

}  // namespace tokenrelay
