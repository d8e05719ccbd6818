// A stream as the parts of a UI message.
#pragma once

#include <memory>
#include <string>

#include "service/surface/answer.h"

namespace tokenrelay::surface {

// The message's parts, then `[DONE]`. The message is msg_X of the stream strm_X, or the client's own where the answer
// goes on with it (after a tool's output). A client that resumes begins an empty message: there, always msg_X.
std::unique_ptr<Encoder> make_ui_encoder(const relay::Stream& stream, bool resumed);

}  // namespace tokenrelay::surface
