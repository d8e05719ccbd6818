#include "service/api/piece_writer.h"

#include <utility>

namespace tokenrelay::api {
namespace {

constexpr int pieces_a_turn = 4;

}  // namespace

void PieceWriter::begin(std::unique_ptr<relay::Pieces> pieces, Done done) {
  pieces_ = std::move(pieces);
  done_ = std::move(done);
  go();
}

void PieceWriter::go() {
  if (std::exchange(going_, true)) return;
  for (int written = 0; pieces_ && !reading_ && body_.has_room(); ++written) {
    if (written == pieces_a_turn) {
      loop_.post([this, here = alive_.mark()] {
        if (here) go();
      });
      break;
    }
    reading_ = true;
    pieces_->next([this](std::optional<std::string_view> piece) { take(piece); });
  }
  going_ = false;
}

void PieceWriter::take(std::optional<std::string_view> piece) {
  reading_ = false;
  if (!piece || piece->empty()) return end(piece.has_value());
  body_.write({&*piece, 1});
  if (!going_) go();
}

// What has called this belongs to the pieces: they go later.
void PieceWriter::end(bool readable) {
  loop_.post([old = std::shared_ptr<relay::Pieces>(std::move(pieces_))] {});
  std::exchange(done_, nullptr)(readable);
}

}  // namespace tokenrelay::api
