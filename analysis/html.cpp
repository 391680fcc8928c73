#include "analysis/html.h"

#include "data/image.h"

namespace fer::html {

namespace {

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

}  // namespace

std::string escape(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (char c : text) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      case '\'':
        result += "&#39;";
        break;
      default:
        if (static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\t') {
          result += c;
        }
    }
  }
  return result;
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string result;
  result.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t count = std::min<size_t>(3, bytes.size() - i);
    uint32_t group = 0;
    for (size_t j = 0; j < 3; ++j) {
      group = group << 8 | (j < count ? static_cast<unsigned char>(bytes[i + j]) : 0u);
    }
    for (size_t j = 0; j < 4; ++j) {
      result += j <= count ? alphabet[group >> (18 - 6 * j) & 63] : '=';
    }
  }
  return result;
}

std::string image(const Tensor& pixels, std::string_view alternative) {
  const std::string height = std::to_string(pixels.shape()[0]), width = std::to_string(pixels.shape()[1]);
  return "<img width=\"" + width + "\" height=\"" + height + "\" alt=\"" + escape(alternative) +
         "\" src=\"data:image/png;base64," + base64(encode_png(pixels)) + "\">";
}

std::string script_json(const nlohmann::json& json) {
  std::string text = json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  replace_all(text, "<", "\\u003c");
  return text;
}

std::string script_text(std::string text) {
  replace_all(text, "</script", "<\\/script");
  replace_all(text, "<!--", "<\\!--");
  replace_all(text, "https://", "");
  replace_all(text, "http://", "");
  return text;
}

std::string mark(bool right) {
  const char* path = right ? "M2.5 8.5l3.5 3.5 7.5-8" : "M3.5 3.5l9 9m0-9l-9 9";
  return std::string("<svg class=\"mark\" viewBox=\"0 0 16 16\" aria-hidden=\"true\"><path d=\"") + path + "\"/></svg>";
}

std::string page(const Page& page) {
  return "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
         "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; "
         "style-src 'unsafe-inline'" +
         std::string(page.scripts.empty() ? "" : "; script-src 'unsafe-inline'") + "\">\n<title>" + escape(page.title) +
         "</title>\n<style>" + page.style + "</style></head>\n<body><header>" + page.header + "</header>\n<main>\n" +
         page.main +
         "</main>\n<footer>Written by Ferrotype. This file is complete in itself and loads nothing.</footer>\n" +
         page.scripts + "</body></html>\n";
}

}  // namespace fer::html
