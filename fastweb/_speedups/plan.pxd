from fastweb._speedups.request cimport parse_cookies, parse_query

cpdef extract(list parameters, object path_params, bytes query, object headers, dict values, list errors)
