#pragma once

#include "core/report/text_filter.hpp"

#include <boost/json/value.hpp>

#include <string>

namespace certcast {

/// In documents, what is not known is null rather than an empty text.
inline boost::json::value text_or_null(const std::string& text) {
    return text.empty() ? boost::json::value(nullptr) : boost::json::value(text);
}
inline boost::json::value text_or_null(const std::string& text, const TextFilter& filter) {
    return text_or_null(filter.data(text));
}

}  // namespace certcast
