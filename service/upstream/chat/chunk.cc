#include "service/upstream/chat/chunk.h"

#include <algorithm>
#include <utility>

#include "service/json/sax.h"
#include "service/upstream/token_count.h"

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
  std::optional<std::string> reason(Reader& in);
  void said(std::string_view piece, std::string_view whole, std::string_view legacy);
  void delta(std::string_view text);
  static bool is_reasoning(std::string_view key);
  void reasoning(Reader& in);
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
  int64_t choice_ = 0;
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
    } else if (key == "id") {
      chunk_.id = std::string(in.string().substr(0, 256));
    } else if (key == "object") {
      is_error_object = in.string() == "error";
    }
  });
  if (chunk_.stopped || chunk_.error) return;
  // Older vLLM: {"object":"error","message":…}, not inside "error".
  if (is_error_object) chunk_.error = parse_error_body(text);
  if (chunk_.seen == 0 && !chunk_.usage && !is_error_object) chunk_.error = error_without_name(text);
}

// "" and "null" are no reasons yet.
std::optional<std::string> ChunkReader::reason(Reader& in) {
  const std::string_view word = in.string();
  if (word.empty() || word == "null") return std::nullopt;
  return std::string(word);
}

// `message` counts only where there is no `delta`: some servers send what was said so far beside what is new.
void ChunkReader::choice(Reader& in) {
  int64_t index = 0;
  std::string_view piece, whole, legacy;
  std::optional<std::string> finish_reason;
  std::string stop_sequence;
  in.object([&](std::string_view key) {
    if (key == "index") {
      index = in.integer().value_or(0);
    } else if (key == "delta") {
      piece = in.raw();
    } else if (key == "message") {
      whole = in.raw();
    } else if (key == "text") {
      legacy = in.raw();
    } else if (key == "finish_reason") {
      finish_reason = reason(in);
    } else if (key == "stop_reason" || key == "matched_stop") {  // vLLM's and SGLang's; a number is a token's
      if (in.peek() == Kind::string) stop_sequence = std::string(in.string());
    } else if (key == "usage") {
      usage(in);
    } else if (key == "error") {
      if (auto error = read_error(in)) chunk_.error = std::move(error);
    }
  });
  const uint64_t bit = uint64_t{1} << std::clamp<int64_t>(index, 0, 63);
  chunk_.seen |= bit;
  if (finish_reason) chunk_.finished |= bit;
  if (finish_reason && !chunk_.finish_reason) {
    chunk_.finish_reason = std::move(finish_reason);
    chunk_.stop_sequence = std::move(stop_sequence);
  }
  choice_ = index;
  said(piece, whole, legacy);
}

void ChunkReader::said(std::string_view piece, std::string_view whole, std::string_view legacy) {
  const bool is_piece = piece.starts_with('{');
  sink_.on_choice(choice_, !is_piece && whole.starts_with('{'));
  if (is_piece) return delta(piece);
  if (whole.starts_with('{')) return delta(whole);
  Reader in(legacy, scratch_);
  if (legacy.starts_with('"')) say_content(in);
}

void ChunkReader::delta(std::string_view text) {
  Reader in(text, scratch_);
  bool reasoned = false;  // some servers send the same text under two names
  in.object([&](std::string_view key) {
    if (key == "content") {
      content(in);
    } else if (key == "refusal") {
      say_content(in);
    } else if (is_reasoning(key) && !reasoned) {
      const bool had = std::exchange(chunk_.has_content, false);
      reasoning(in);
      reasoned = chunk_.has_content;
      chunk_.has_content |= had;
    } else if ((key == "images" || key == "audio") && in.peek() != Kind::null) {
      chunk_.has_image |= in.raw().size() > 2;  // not [] or {}
    } else if (key == "error") {
      if (auto error = read_error(in)) chunk_.error = std::move(error);
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

// A text, or OpenRouter's [{"type":"reasoning.text","text":"…"},{"type":"reasoning.summary","summary":"…"}].
void ChunkReader::reasoning(Reader& in) {
  if (in.peek() != Kind::array) return say_reasoning(in);
  in.array([&] {
    in.object([&](std::string_view key) {
      if (key == "text" || key == "summary") say_reasoning(in);
    });
  });
}

void ChunkReader::content(Reader& in) {
  if (in.peek() == Kind::object) return content_part(in);
  if (in.peek() != Kind::array) return say_content(in);
  in.array([&] { content_part(in); });
}

bool ChunkReader::is_reasoning(std::string_view key) {
  return key.starts_with("reasoning") &&
         (key == "reasoning_content" || key == "reasoning" || key == "reasoning_text" || key == "reasoning_details");
}

// Mistral's {"type":"text","text":"…"} and {"type":"thinking","thinking":[{"type":"text","text":"…"}]}.
void ChunkReader::content_part(Reader& in) {
  if (in.peek() == Kind::string) return say_content(in);
  in.object([&](std::string_view key) {
    if (key == "text" || key == "refusal") {
      say_content(in);
    } else if (key == "thinking") {
      thinking(in);
    } else if (key == "image_url") {
      chunk_.has_image = true;
    }
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
    if (key == "index") {
      if (const auto number = read_count(in)) index = static_cast<int64_t>(*number);
    } else if (key == "id") {
      id = in.string();
    } else if (key == "function") {
      function(in, name, arguments);
    }
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
  if (!sink_.on_tool({choice_, index, id, name, arguments})) chunk_.stopped = true;
}

void ChunkReader::usage(Reader& in) {
  if (in.peek() != Kind::object) return;
  Usage usage;
  in.object([&](std::string_view key) {
    if (key == "prompt_tokens" || key == "input_tokens") {
      update_count(usage.input_tokens, read_count(in));
    } else if (key == "completion_tokens" || key == "output_tokens") {
      update_count(usage.output_tokens, read_count(in));
    } else if (key == "prompt_cache_hit_tokens") {  // DeepSeek's word
      update_count(usage.cached_tokens, read_count(in));
    } else {
      read_details(in, key, usage);
    }
  });
  if (usage.input_tokens || usage.output_tokens) chunk_.usage = usage;
}

}  // namespace

ChatChunk read_chat_chunk(std::string_view payload, std::string& scratch, ChunkSink& sink) {
  ChatChunk chunk;
  Reader check(payload, scratch);
  const Kind kind = check.peek();
  check.skip();
  chunk.is_json = check.at_end();
  if (!chunk.is_json) return chunk;
  if (kind == Kind::object) {
    ChunkReader(scratch, sink, chunk).payload(payload);
  } else if (kind == Kind::array) {
    chunk.error = error_without_name(payload);
  }
  return chunk;
}

}  // namespace tokenrelay::upstream
