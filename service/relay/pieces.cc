#include "service/relay/pieces.h"

#include <algorithm>
#include <utility>

#include "service/json/write.h"
#include "service/relay/event_codec.h"
#include "service/relay/event_walk.h"
#include "service/relay/stream.h"

namespace tokenrelay::relay {
namespace {

std::string_view said_in(const Excerpt& excerpt, std::string_view payload) {
  if (excerpt.kind != EventKind::tool_call) return payload;
  const auto piece = decode_tool_call(payload);
  return piece && piece->index == excerpt.call ? piece->arguments : std::string_view();
}

// Without the quotes.
void append_escaped(std::string& out, std::string_view text) {
  const size_t at = out.size();
  json::append_string(out, text);
  out.pop_back();
  out.erase(at, 1);
}

}  // namespace

void read_excerpt(const std::shared_ptr<Stream>& stream, const Excerpt& excerpt, size_t most,
                  std::function<void(std::optional<std::string>)> done) {
  const auto text = std::make_shared<std::string>();
  const auto add = [text, excerpt, most](storage::Seq, EventKind kind, std::string_view payload) {
    if (kind == excerpt.kind) *text += said_in(excerpt, payload);
    return text->size() <= most;
  };
  walk_events(stream, excerpt.after, excerpt.upto, add, [text, done = std::move(done)](bool readable) {
    done(readable ? std::optional(std::move(*text)) : std::nullopt);
  });
}

Pieces::Pieces(std::shared_ptr<Stream> stream, std::string bytes, std::shared_ptr<const Excerpts> excerpts)
    : stream_(std::move(stream)),
      reading_(stream_->reading()),
      bytes_(std::move(bytes)),
      excerpts_(std::move(excerpts)) {}

Pieces::~Pieces() {
  alive_.end();
}

void Pieces::next(Next then) {
  piece_.clear();
  if (!excerpt_) own_bytes();
  if (!excerpt_) return then(piece_);
  read(std::move(then));
}

void Pieces::own_bytes() {
  const bool marks = excerpts_ && excerpts_->any();
  const size_t window = piece_bytes + (marks ? excerpts_->mark_bytes() - 1 : 0);
  const auto part = std::string_view(bytes_).substr(at_, window);
  const auto found = marks ? excerpts_->find(part, 0) : Excerpts::Found();
  const size_t size = found.excerpt != nullptr ? found.at : std::min(piece_bytes, part.size());
  piece_ += part.substr(0, size);
  at_ += size;
  if (found.excerpt == nullptr) return;
  at_ += excerpts_->mark_bytes();
  excerpt_ = *found.excerpt;
}

void Pieces::take(const storage::Block& block) {
  std::string said;  // of neighbouring events: the escaping is done once
  for (const auto& entry : block.entries) {
    if (entry.seq <= excerpt_->after || entry.kind != excerpt_->kind) continue;
    if (entry.seq > excerpt_->upto) break;
    said += said_in(*excerpt_, block.payload(entry));
  }
  append_escaped(piece_, said);
  excerpt_->after = block.entries.back().seq;
  if (excerpt_->after >= excerpt_->upto) excerpt_.reset();
}

// Blocks that hold nothing of the excerpt are passed over.
void Pieces::read(Next then) {
  stream_->read(excerpt_->after, [this, here = alive_.mark(), then = std::move(then)](
                                     storage::Result<std::shared_ptr<const storage::Block>> block) {
    if (!here) return;
    const bool usable = block && !(*block)->entries.empty() && (*block)->entries.back().seq > excerpt_->after;
    if (!usable) return then(std::nullopt);
    take(**block);
    if (piece_.empty() && excerpt_) return read(then);
    if (piece_.empty()) return next(then);
    then(piece_);
  });
}

}  // namespace tokenrelay::relay
