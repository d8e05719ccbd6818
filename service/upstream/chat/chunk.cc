#include "service/upstream/chat/chunk.h"

#include <algorithm>

#include "service/json/sax.h"

namespace tokenrelay::upstream {
namespace {

using json::Reader;
using Kind = Reader::Kind;

class ChunkReader {
 public:
  ChunkReader(std::string& scratch, ChunkSink& sink, ChatChunk& chunk)
      : scratch_(scratch), sink_(sink), chunk_(chunk) {}

  void payload(std::string_view text);

 private:
  void choice(Reader& in);
  void delta(std::string_view text);
  void content(Reader& in);
  void content_part(Reader& in);
  void thinking(Reader& in);
  void tool_call(Reader& in);
  void function(Reader& in, std::string& name, std::string_view& arguments);
  void tool_piece(std::optional<int64_t> index, std::string_view id, std::string_view name,
                  std::string_view raw_arguments);
  void usage(Reader& in);

  // Passes a piece on. After the sink has returned false, nothing more is passed on, and the payload, which may be
  // destroyed, is not read.
  template <class Say>
  void say(Reader& in, std::string_view piece, Say&& to_sink) {
    if (chunk_.stopped || piece.empty()) return;
    chunk_.has_content = true;
    if (to_sink(piece)) return;
    chunk_.stopped = true;
    in.stop();
  }
  void say_content(Reader& in) {
    say(in, in.string(), [this](std::string_view piece) { return sink_.on_content(piece); });
  }
  void say_reasoning(Reader& in) {
    say(in, in.string(), [this](std::string_view piece) { return sink_.on_reasoning(piece); });
  }

  std::string& scratch_;
  ChunkSink& sink_;
  ChatChunk& chunk_;
};

void ChunkReader::payload(std::string_view text) {
  Reader in(text, scratch_);
  bool is_error_object = false;
  in.object([&](std::string_view key) {
    if (key == "choices") {
      in.array([&] {
        choice(in);
        if (chunk_.stopped) in.stop();
      });
    } else if (key == "usage") {
      usage(in);
    } else if (key == "error") {
      chunk_.error = read_error(in);
    } else if (key == "object") {
      is_error_object = in.string() == "error";
    }
  });
  // Older vLLM: {"object":"error","message":…}, not inside "error".
  if (!chunk_.stopped && is_error_object && !chunk_.error) chunk_.error = parse_error_body(text);
}

void ChunkReader::choice(Reader& in) {
  int64_t index = 0;
  std::string_view said;
  std::optional<std::string> finish_reason;
  in.object([&](std::string_view key) {
    if (key == "index")
      index = in.integer().value_or(0);
    else if (key == "delta" || key == "message")
      said = in.raw();
    else if (key == "finish_reason" && in.peek() == Kind::string)
      finish_reason = std::string(in.string());
  });
  const uint64_t bit = uint64_t{1} << std::clamp<int64_t>(index, 0, 63);
  chunk_.seen |= bit;
  if (finish_reason) chunk_.finished |= bit;
  if (index != 0) return;
  if (finish_reason) chunk_.finish_reason = std::move(finish_reason);
  if (!said.empty()) delta(said);
}

void ChunkReader::delta(std::string_view text) {
  Reader in(text, scratch_);
  bool reasoned = false;  // newer vLLM sends the same text under both names
  in.object([&](std::string_view key) {
    if (key == "content") {
      content(in);
    } else if (key == "refusal") {
      say_content(in);
    } else if ((key == "reasoning_content" || key == "reasoning") && in.peek() == Kind::string && !reasoned) {
      const bool had = chunk_.has_content;
      chunk_.has_content = false;
      say_reasoning(in);
      reasoned = chunk_.has_content;
      chunk_.has_content |= had;
    } else if (key == "tool_calls") {
      in.array([&] {
        tool_call(in);
        if (chunk_.stopped) in.stop();
      });
    } else if (key == "function_call" && in.peek() == Kind::object) {
      std::string name;
      std::string_view arguments;
      function(in, name, arguments);
      tool_piece(0, {}, name, arguments);
      if (chunk_.stopped) in.stop();
    }
  });
}

void ChunkReader::content(Reader& in) {
  if (in.peek() != Kind::array) return say_content(in);
  in.array([&] { content_part(in); });
}

// Mistral's {"type":"text","text":"…"} and {"type":"thinking","thinking":[{"type":"text","text":"…"}]}.
void ChunkReader::content_part(Reader& in) {
  if (in.peek() == Kind::string) return say_content(in);
  in.object([&](std::string_view key) {
    if (key == "text" || key == "refusal")
      say_content(in);
    else if (key == "thinking")
      thinking(in);
  });
}

void ChunkReader::thinking(Reader& in) {
  if (in.peek() != Kind::array) return say_reasoning(in);
  in.array([&] {
    in.object([&](std::string_view key) {
      if (key == "text") say_reasoning(in);
    });
  });
}

void ChunkReader::tool_call(Reader& in) {
  std::optional<int64_t> index;
  std::string id, name;
  std::string_view arguments;
  in.object([&](std::string_view key) {
    if (key == "index")
      index = in.integer();
    else if (key == "id")
      id = in.string();
    else if (key == "function")
      function(in, name, arguments);
  });
  tool_piece(index, id, name, arguments);
}

void ChunkReader::function(Reader& in, std::string& name, std::string_view& arguments) {
  in.object([&](std::string_view key) {
    if (key == "name")
      name = in.string();
    else if (key == "arguments" && in.peek() != Kind::null)
      arguments = in.raw();
  });
}

void ChunkReader::tool_piece(std::optional<int64_t> index, std::string_view id, std::string_view name,
                             std::string_view raw_arguments) {
  if (chunk_.stopped) return;
  Reader in(raw_arguments, scratch_);
  // Usually a string; some servers send the object itself.
  const std::string_view arguments = in.peek() == Kind::string ? in.string() : raw_arguments;
  chunk_.has_content = true;
  if (!sink_.on_tool({index, id, name, arguments})) chunk_.stopped = true;
}

void ChunkReader::usage(Reader& in) {
  if (in.peek() != Kind::object) return;
  Usage usage;
  const auto count = [&in]() -> std::optional<uint64_t> {
    const auto value = in.integer();
    return value && *value >= 0 ? std::optional<uint64_t>(*value) : std::nullopt;
  };
  in.object([&](std::string_view key) {
    if (key == "prompt_tokens")
      usage.input_tokens = count();
    else if (key == "completion_tokens")
      usage.output_tokens = count();
  });
  if (usage.input_tokens || usage.output_tokens) chunk_.usage = usage;
}

}  // namespace

ChatChunk read_chat_chunk(std::string_view payload, std::string& scratch, ChunkSink& sink) {
  ChatChunk chunk;
  Reader check(payload, scratch);
  chunk.is_json = check.peek() == Kind::object;
  check.skip();
  chunk.is_json = check.at_end() && chunk.is_json;
  if (chunk.is_json) ChunkReader(scratch, sink, chunk).payload(payload);
  return chunk;
}

}  // namespace tokenrelay::upstream
