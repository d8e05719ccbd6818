// ChatAnswer: puts the chunks of one Chat Completions answer together: whole characters, tool calls, the finish reason,
// the usage. It is independent of SSE and HTTP.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "service/json/joiner.h"
#include "service/json/shape.h"
#include "service/transport/lifeline.h"
#include "service/upstream/chat/chunk.h"
#include "service/upstream/chat/tool_calls.h"
#include "service/upstream/end_mark.h"
#include "service/upstream/own_recorder.h"
#include "service/upstream/said.h"
#include "service/upstream/upstream.h"

namespace tokenrelay::upstream {

class ChatAnswer final : private ChunkSink {
 public:
  explicit ChatAnswer(CallHandler& handler) : handler_(handler), own_(handler), calls_(handler) {}

  OwnRecorder& own() { return own_; }  // off until it is begun

  enum class Taken {
    chunk,
    not_json,
    error,
    too_large,  // more tool calls than the bounds allow
    gone,       // a handler destroyed the answer
  };

  Taken take(std::string_view payload);

  // At the end: passes on what was held back. False: the answer was destroyed.
  bool flush();

  bool stopped() const { return mark_.stopped(); }
  bool marked() const { return mark_.marked(); }
  bool begun() const { return seen_ != 0; }
  bool empty() const { return !mark_.has_content() && !own_.shown(); }
  std::string_view left_out() const { return has_image_ && !own_.on() ? "images or sound" : std::string_view(); }
  Outcome outcome() const;  // of an answer that is complete
  const Usage& usage() const { return usage_; }
  const std::string& id() const { return id_; }  // of the first chunk; "" until it is known
  const ProviderError& error() const { return error_; }

 private:
  void on_choice(int64_t index, bool is_whole) override;
  bool on_content(std::string_view piece) override;
  bool on_reasoning(std::string_view piece) override;
  bool on_tool(const ToolPiece& piece) override;

  bool hand_on_own(std::string_view payload, std::optional<std::string_view> delta);  // false: it was destroyed
  Taken take_whole(std::string_view payload);
  void learn(std::string_view payload, const ChatChunk& chunk);
  void take_reason(ChatChunk& chunk);
  void take_usage(const Usage& usage);
  // What a whole message adds to what was said; "": nothing.
  std::string_view unsaid(std::string_view piece, Said& said, bool by_pieces);

  CallHandler& handler_;
  OwnRecorder own_;
  transport::Lifeline line_;
  bool shape_is_text_ = true;
  int64_t choice_ = 0;  // being read
  bool is_whole_ = false, is_main_ = true;
  bool text_by_pieces_ = false, reasoning_by_pieces_ = false, calls_by_pieces_ = false;
  bool has_image_ = false;
  EndMark mark_;
  json::Joiner text_, reasoning_;
  int said_ = 0;                // pieces of the chunk being read
  std::string_view last_said_;  // the last of them
  uint64_t seen_ = 0, finished_ = 0;
  // The shape of the last delta's chunk: nearly always the next chunk differs only in the delta.
  json::Shape shape_;
  std::string scratch_;  // the reader's
  std::string joined_;   // the joiners'
  ChatToolCalls calls_;
  std::optional<int64_t> main_;        // the choice whose text is told: the first that says something
  Said whole_text_, whole_reasoning_;  // of messages
  std::string id_;
  std::string finish_reason_;  // "": none yet
  std::string stop_sequence_;
  Usage usage_;
  ProviderError error_;
};

}  // namespace tokenrelay::upstream
