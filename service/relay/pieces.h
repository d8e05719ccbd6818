// Pieces: an answer with excerpts (excerpts.h), piece by piece: its own bytes as they are, and in place of each mark
// the text out of the log, as the inside of a JSON string.
//
// Threads: the loop's. Ownership: its reader's; destroyed while a read is under way, it calls back no more. Bounds: one
// block of the log, escaped, and the bytes it was given. A piece costs a turn of the loop about a millisecond.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "service/relay/excerpts.h"
#include "service/transport/lifeline.h"

namespace tokenrelay::relay {

class Stream;

// Reads one excerpt whole. `done` gets nullopt if the log cannot be read, and a text that is cut after more than `most`
// bytes.
void read_excerpt(const std::shared_ptr<Stream>& stream, const Excerpt& excerpt, size_t most,
                  std::function<void(std::optional<std::string>)> done);

class Pieces {
 public:
  static constexpr size_t piece_bytes = 64 << 10;

  // The next piece, valid until the next call; "" after the last; nullopt: the log cannot be read.
  using Next = std::function<void(std::optional<std::string_view> piece)>;

  // While it exists, the stream is being read (Stream::reading()). `excerpts` may be null: there are no marks.
  Pieces(std::shared_ptr<Stream> stream, std::string bytes, std::shared_ptr<const Excerpts> excerpts);
  ~Pieces();
  Pieces(const Pieces&) = delete;

  // Calls back once, perhaps before this returns. One call at a time.
  void next(Next then);

 private:
  void own_bytes();  // up to the next mark
  void read(Next then);
  void take(const storage::Block& block);

  const std::shared_ptr<Stream> stream_;
  const std::shared_ptr<void> reading_;
  const std::string bytes_;
  const std::shared_ptr<const Excerpts> excerpts_;
  size_t at_ = 0;                   // in bytes_
  std::optional<Excerpt> excerpt_;  // being read; its `after` moves
  std::string piece_;
  transport::Alive alive_;
};

}  // namespace tokenrelay::relay
