#include "service/surface/routes.h"

#include "service/surface/anthropic.h"
#include "service/surface/chat.h"
#include "service/surface/gemini.h"
#include "service/surface/responses.h"
#include "service/surface/ui.h"

namespace tokenrelay::surface {

void add_surface_routes(http::Router& router, api::Api& api) {
  add_chat_routes(router, api);
  add_model_routes(router, api);
  add_responses_routes(router, api);
  add_gemini_routes(router, api);
  add_ui_routes(router, api);
  add_anthropic_routes(router, api);
}

}  // namespace tokenrelay::surface
