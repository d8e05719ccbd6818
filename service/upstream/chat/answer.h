// ChatAnswer: puts the chunks of one Chat Completions answer together: whole characters, numbered tool calls, the
// finish reason. It is independent of SSE and HTTP.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "service/json/joiner.h"
#include "service/json/shape.h"
#include "service/transport/lifeline.h"
#include "service/upstream/chat/chunk.h"
#include "service/upstream/upstream.h"

namespace tokenrelay::upstream {

class ChatAnswer final : private ChunkSink {
 public:
  explicit ChatAnswer(CallHandler& handler) : handler_(handler) {}

  enum class Taken { chunk, not_json, error, gone };  // gone: a handler destroyed the answer

  Taken take(std::string_view payload);

  // At the end: passes on what was held back. False: the answer was destroyed.
  bool flush();

  bool marked() const { return seen_ != 0 && (seen_ & ~finished_) == 0; }  // every choice has its finish_reason
  bool begun() const { return seen_ != 0; }
  Outcome outcome() const;  // of an answer that is complete
  const Usage& usage() const { return usage_; }
  const ProviderError& error() const { return error_; }

 private:
  struct Tool {
    int64_t index;  // the upstream's, or -1
    std::string id, name;
    std::string held;  // arguments that arrived before the name
    bool announced = false;
    json::Joiner joiner;
  };

  bool on_content(std::string_view piece) override;
  bool on_reasoning(std::string_view piece) override;
  bool on_tool(const ToolPiece& piece) override;

  Taken take_whole(std::string_view payload);
  void learn(std::string_view payload, const ChatChunk& chunk);
  size_t tool_of(const ToolPiece& piece);
  bool hand_on(size_t number, std::string_view arguments);
  bool announce(size_t number);
  bool flush_tools();

  CallHandler& handler_;
  transport::Lifeline line_;
  bool finish_known_ = false;
  bool shape_is_text_ = true;
  json::Joiner text_, reasoning_;
  int said_ = 0;                // pieces of the chunk being read
  std::string_view last_said_;  // the last of them
  uint64_t seen_ = 0, finished_ = 0;
  // The shape of the last delta's chunk: nearly always the next chunk differs only in the delta.
  json::Shape shape_;
  std::string scratch_;  // the reader's
  std::string joined_;   // the joiners'
  std::vector<Tool> tools_;
  std::string finish_reason_;
  Usage usage_;
  ProviderError error_;
};

}  // namespace tokenrelay::upstream
