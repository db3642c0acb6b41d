cpdef str unquote(bytes raw)
cpdef list parse_query(bytes query)
cpdef dict parse_cookies(str header)
