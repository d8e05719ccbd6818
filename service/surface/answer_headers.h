// The headers of an upstream's response (upstream/answer_headers.h) on the answer to a client: `Upstream-Request-Id` on
// every surface; rate limits and the like for clients of the upstream's own protocol.
#pragma once

#include "service/http/reply.h"
#include "service/relay/stream.h"
#include "service/surface/protocol.h"
#include "service/upstream/answer_headers.h"

namespace tokenrelay::surface {

void add_answer_headers(http::HeaderList& headers, const upstream::AnswerHeaders& told, Protocol protocol);

// Those of the stream's last response. After a restart only the request's id is known.
void add_answer_headers(http::HeaderList& headers, const relay::Stream& stream, Protocol protocol);

}  // namespace tokenrelay::surface
