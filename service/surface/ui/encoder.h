// A stream as the parts of a UI message.
#pragma once

#include <memory>
#include <string>

#include "service/surface/answer.h"

namespace tokenrelay::surface {

// The message's parts, then `[DONE]`. The message id is msg_X for the stream strm_X, or that of the client's message if
// the answer continues it (after a tool's output). A client that resumes begins an empty message: its id is always
// msg_X.
std::unique_ptr<Encoder> make_ui_encoder(const relay::Stream& stream, bool resumed);

}  // namespace tokenrelay::surface
