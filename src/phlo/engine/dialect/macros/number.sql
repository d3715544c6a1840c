-- Numbers as Trino counts them. A parameter t_x takes the same argument as x and is there for its type alone: a macro
-- is chosen by the types of its arguments, and a typed parameter is cast, which would lose a decimal's own precision.

CREATE OR REPLACE MACRO phlo_decimal_type(p, s) AS from_json('null', '"DECIMAL(' || p || ',' || s || ')"');
CREATE OR REPLACE MACRO phlo_decimal(x) AS coalesce(x, NULL::DECIMAL(1, 0));
CREATE OR REPLACE MACRO phlo_precision(x) AS
    CAST(regexp_extract(typeof(phlo_decimal(x)), '\((\d+),', 1) AS INTEGER);
CREATE OR REPLACE MACRO phlo_scale(x) AS CAST(regexp_extract(typeof(phlo_decimal(x)), ',(\d+)\)', 1) AS INTEGER);
CREATE OR REPLACE MACRO phlo_larger_scale(a, b) AS greatest(phlo_scale(a), phlo_scale(b));

-- Trino: scale max(s1, s2), precision p1 + s2 + max(0, s2 - s1), rounded half up. DuckDB's exact division rounds half to
-- even, so a quotient that is exact with one digit more is rounded from that digit. Lambdas bind the operands and the
-- longer quotient once: without them each level of nesting would multiply the time to plan by thirty.
CREATE OR REPLACE MACRO phlo_dividend(a, b) AS cast_to_type(a, phlo_decimal_type(
    least(phlo_precision(a), 37 - phlo_scale(b) - phlo_larger_scale(a, b) + phlo_scale(a)), phlo_scale(a)));
CREATE OR REPLACE MACRO phlo_divide_decimals(a, b) AS list_transform(
    [{'a': phlo_decimal(a), 'b': phlo_decimal(b)}], lambda p: list_transform(
        [decimal_division(phlo_dividend(p['a'], p['b']), p['b'], phlo_larger_scale(p['a'], p['b']) + 1)],
        lambda longer: cast_to_type(
            CASE
                WHEN longer * p['b'] = p['a'] THEN round(longer, phlo_larger_scale(p['a'], p['b']))
                ELSE decimal_division(phlo_dividend(p['a'], p['b']), p['b'], phlo_larger_scale(p['a'], p['b']))
            END,
            phlo_decimal_type(
                least(38, phlo_precision(p['a']) - phlo_scale(p['a']) + phlo_scale(p['b'])
                          + phlo_larger_scale(p['a'], p['b'])),
                phlo_larger_scale(p['a'], p['b']))))[1])[1];

CREATE OR REPLACE MACRO trino_divide
    (t_a BIGINT, t_b BIGINT, a, b) AS a // b,
    (t_a DECIMAL, t_b DECIMAL, a, b) AS phlo_divide_decimals(a, b),
    (t_a FLOAT, t_b FLOAT, a, b) AS a::FLOAT / b::FLOAT,
    (t_a DOUBLE, t_b DOUBLE, a, b) AS a::DOUBLE / b::DOUBLE,
    (t_a INTERVAL, t_b DOUBLE, a, b) AS a / b::DOUBLE;

-- Trino: scale max(s1, s2), digits before the point those of the smaller operand.
CREATE OR REPLACE MACRO phlo_remainder(a, b) AS cast_to_type(phlo_decimal(a) % phlo_decimal(b), phlo_decimal_type(
    least(phlo_precision(a) - phlo_scale(a), phlo_precision(b) - phlo_scale(b)) + phlo_larger_scale(a, b),
    phlo_larger_scale(a, b)));
CREATE OR REPLACE MACRO trino_mod
    (t_a BIGINT, t_b BIGINT, a, b) AS a % b,
    (t_a DECIMAL, t_b DECIMAL, a, b) AS
        list_transform([{'a': a, 'b': b}], lambda pair: phlo_remainder(pair['a'], pair['b']))[1],
    (t_a FLOAT, t_b FLOAT, a, b) AS (a % b)::FLOAT,
    (t_a DOUBLE, t_b DOUBLE, a, b) AS a::DOUBLE % b::DOUBLE;

CREATE OR REPLACE MACRO trino_round
    (t_x BIGINT, x) AS x,
    (t_x DECIMAL, x) AS cast_to_type(round(x), phlo_decimal_type(
        least(38, phlo_precision(x) - phlo_scale(x) + CASE WHEN phlo_scale(x) > 0 THEN 1 ELSE 0 END), 0)),
    (t_x FLOAT, x) AS round(x)::FLOAT,
    (t_x DOUBLE, x) AS round(x::DOUBLE),
    (t_x BIGINT, x, d) AS round(x, d),
    (t_x DECIMAL, x, d) AS cast_to_type(round(x, d), phlo_decimal_type(
        least(38, phlo_precision(x) + 1), phlo_scale(x))),
    (t_x FLOAT, x, d) AS round(x, d)::FLOAT,
    (t_x DOUBLE, x, d) AS round(x::DOUBLE, d);

CREATE OR REPLACE MACRO trino_ceiling
    (t_x BIGINT, x) AS x,
    (t_x DECIMAL, x) AS cast_to_type(ceil(x), phlo_decimal_type(
        least(38, phlo_precision(x) - phlo_scale(x) + CASE WHEN phlo_scale(x) > 0 THEN 1 ELSE 0 END), 0)),
    (t_x FLOAT, x) AS ceil(x)::FLOAT,
    (t_x DOUBLE, x) AS ceil(x::DOUBLE);
CREATE OR REPLACE MACRO trino_floor
    (t_x BIGINT, x) AS x,
    (t_x DECIMAL, x) AS cast_to_type(floor(x), phlo_decimal_type(
        least(38, phlo_precision(x) - phlo_scale(x) + CASE WHEN phlo_scale(x) > 0 THEN 1 ELSE 0 END), 0)),
    (t_x FLOAT, x) AS floor(x)::FLOAT,
    (t_x DOUBLE, x) AS floor(x::DOUBLE);
CREATE OR REPLACE MACRO trino_truncate
    (t_x BIGINT, x) AS x,
    (t_x DECIMAL, x) AS cast_to_type(trunc(x), phlo_decimal_type(
        greatest(1, phlo_precision(x) - phlo_scale(x)), 0)),
    (t_x FLOAT, x) AS trunc(x)::FLOAT,
    (t_x DOUBLE, x) AS trunc(x::DOUBLE),
    (t_x DECIMAL, x, d) AS cast_to_type(trunc(x, d), phlo_decimal_type(phlo_precision(x), phlo_scale(x)));
CREATE OR REPLACE MACRO trino_sign
    (t_x BIGINT, x) AS cast_to_type(sign(x), x),
    (t_x DECIMAL, x) AS sign(x)::DECIMAL(1, 0),
    (t_x DOUBLE, x) AS CASE WHEN isnan(x) THEN x::DOUBLE ELSE sign(x)::DOUBLE END;

CREATE OR REPLACE MACRO trino_log(b, x) AS ln(x::DOUBLE) / ln(b::DOUBLE);
CREATE OR REPLACE MACRO trino_e() AS 2.718281828459045::DOUBLE;
CREATE OR REPLACE MACRO trino_infinity() AS 'infinity'::DOUBLE;
CREATE OR REPLACE MACRO trino_nan() AS 'nan'::DOUBLE;
CREATE OR REPLACE MACRO trino_is_nan(x) AS isnan(x::DOUBLE);
CREATE OR REPLACE MACRO trino_is_finite(x) AS isfinite(x::DOUBLE);
CREATE OR REPLACE MACRO trino_is_infinite(x) AS isinf(x::DOUBLE);
CREATE OR REPLACE MACRO trino_width_bucket(x, low, high, n) AS CAST(
    CASE
        WHEN low < high THEN
            CASE WHEN x < low THEN 0 WHEN x >= high THEN n + 1
                 ELSE floor(n * (x::DOUBLE - low::DOUBLE) / (high::DOUBLE - low::DOUBLE)) + 1 END
        ELSE
            CASE WHEN x > low THEN 0 WHEN x <= high THEN n + 1
                 ELSE floor(n * (low::DOUBLE - x::DOUBLE) / (low::DOUBLE - high::DOUBLE)) + 1 END
    END AS BIGINT);

CREATE OR REPLACE MACRO trino_bitwise_and(a, b) AS a::BIGINT & b::BIGINT;
CREATE OR REPLACE MACRO trino_bitwise_or(a, b) AS a::BIGINT | b::BIGINT;
CREATE OR REPLACE MACRO trino_bitwise_xor(a, b) AS xor(a::BIGINT, b::BIGINT);
CREATE OR REPLACE MACRO trino_bitwise_not(a) AS ~(a::BIGINT);
CREATE OR REPLACE MACRO trino_bit_count(x, bits) AS
    bit_count(x::BIGINT)::BIGINT - CASE WHEN x < 0 THEN 64 - bits ELSE 0 END;
CREATE OR REPLACE MACRO trino_to_base(x, radix) AS
    CASE WHEN x < 0 THEN '-' ELSE '' END || lower(to_base(abs(x::BIGINT), radix::INTEGER));

-- Doubles as text: the shortest digits that read back, as 1.5E0.
CREATE OR REPLACE MACRO phlo_mantissa(s) AS ltrim(replace(regexp_extract(s, '^-?([0-9.]+)', 1), '.', ''), '0');
CREATE OR REPLACE MACRO phlo_exponent(s) AS
    coalesce(TRY_CAST(nullif(regexp_extract(s, 'e([+-]?[0-9]+)$', 1), '') AS INTEGER), 0)
    + length(regexp_extract(s, '^-?([0-9]+)', 1)) - 1
    - length(replace(regexp_extract(s, '^-?([0-9.]+)', 1), '.', '')) + length(phlo_mantissa(s));
CREATE OR REPLACE MACRO phlo_scientific(s) AS
    CASE WHEN s[1] = '-' THEN '-' ELSE '' END || CASE
        WHEN phlo_mantissa(s) = '' THEN '0E0'
        ELSE substr(phlo_mantissa(s), 1, 1) || '.'
            || coalesce(nullif(rtrim(substr(phlo_mantissa(s), 2), '0'), ''), '0') || 'E' || phlo_exponent(s) END;
CREATE OR REPLACE MACRO phlo_double_to_varchar(x) AS CASE
    WHEN isnan(x) THEN 'NaN' WHEN isinf(x) THEN CASE WHEN x < 0 THEN '-Infinity' ELSE 'Infinity' END
    ELSE list_transform([x::VARCHAR], lambda s: phlo_scientific(s))[1] END;
-- DuckDB leaves out the nought before the point where a decimal's type has no digit there.
CREATE OR REPLACE MACRO phlo_decimal_to_varchar(x) AS CASE
    WHEN x::VARCHAR LIKE '.%' THEN '0' || x::VARCHAR
    WHEN x::VARCHAR LIKE '-.%' THEN '-0' || substr(x::VARCHAR, 2) ELSE x::VARCHAR END;

-- Shifts keep the type of x; DuckDB's shift of negative numbers and over the width is its own, so they go through bits.
CREATE OR REPLACE MACRO phlo_width(x) AS CASE typeof(x)
    WHEN 'TINYINT' THEN 8 WHEN 'SMALLINT' THEN 16 WHEN 'INTEGER' THEN 32 ELSE 64 END;
CREATE OR REPLACE MACRO phlo_unsigned(x) AS CASE WHEN x < 0 THEN x::HUGEINT + (1::HUGEINT << phlo_width(x)) ELSE x::HUGEINT END;
CREATE OR REPLACE MACRO phlo_signed(u, x) AS cast_to_type(
    CASE WHEN u >= (1::HUGEINT << (phlo_width(x) - 1)) THEN u - (1::HUGEINT << phlo_width(x)) ELSE u END, x);
CREATE OR REPLACE MACRO phlo_shift_left(x, n) AS CASE
    WHEN n IS NULL THEN NULL WHEN n < 0 OR n >= phlo_width(x) THEN cast_to_type(0, x)
    ELSE phlo_signed((phlo_unsigned(x) % (1::HUGEINT << (phlo_width(x) - n)::INTEGER)) * (1::HUGEINT << n::INTEGER), x) END;
CREATE OR REPLACE MACRO phlo_shift_right(x, n) AS CASE
    WHEN n IS NULL THEN NULL WHEN n = 0 THEN x WHEN n < 0 OR n >= phlo_width(x) THEN cast_to_type(0, x)
    ELSE phlo_signed(phlo_unsigned(x) // (1::HUGEINT << n::INTEGER), x) END;
CREATE OR REPLACE MACRO phlo_shift_right_arithmetic(x, n) AS CASE
    WHEN n IS NULL THEN NULL WHEN n < 0 OR n >= phlo_width(x) THEN cast_to_type(CASE WHEN x < 0 THEN -1 ELSE 0 END, x)
    WHEN x >= 0 THEN cast_to_type(x::HUGEINT // (1::HUGEINT << n::INTEGER), x)
    ELSE cast_to_type(-((-(x::HUGEINT) + (1::HUGEINT << n::INTEGER) - 1) // (1::HUGEINT << n::INTEGER)), x) END;
CREATE OR REPLACE MACRO trino_bitwise_left_shift(x, n) AS list_transform([{'x': x, 'n': n}], lambda v: phlo_shift_left(v['x'], v['n']))[1];
CREATE OR REPLACE MACRO trino_bitwise_right_shift(x, n) AS list_transform([{'x': x, 'n': n}], lambda v: phlo_shift_right(v['x'], v['n']))[1];
CREATE OR REPLACE MACRO trino_bitwise_right_shift_arithmetic(x, n) AS
    list_transform([{'x': x, 'n': n}], lambda v: phlo_shift_right_arithmetic(v['x'], v['n']))[1];
CREATE OR REPLACE MACRO phlo_digit(c) AS strpos('0123456789abcdefghijklmnopqrstuvwxyz', lower(c)) - 1;
CREATE OR REPLACE MACRO trino_from_base(s, radix) AS CASE
    WHEN s IS NULL OR radix IS NULL THEN NULL
    WHEN NOT regexp_full_match(s, '[+-]?[0-9a-zA-Z]+') OR list_bool_or(list_transform(
        string_split(ltrim(s, '+-'), ''), lambda c: phlo_digit(c) >= radix))
    THEN ('not a number of base ' || radix || ': ' || s)::BIGINT
    ELSE (CASE WHEN s[1] = '-' THEN -1 ELSE 1 END * list_reduce(list_transform(
        string_split(ltrim(s, '+-'), ''), lambda c: phlo_digit(c)::HUGEINT),
        lambda total, digit: total * radix + digit, 0::HUGEINT))::BIGINT END;
-- Three digits that count, half up, and a letter for the thousands.
CREATE OR REPLACE MACRO phlo_scaled(x, size, letter) AS
    rtrim(rtrim(phlo_decimal_to_varchar(round(x / size, CASE WHEN x / size >= 100 THEN 0 WHEN x / size >= 10 THEN 1 ELSE 2 END)::DECIMAL(38, 2)), '0'), '.') || letter;
CREATE OR REPLACE MACRO phlo_format_number(x) AS CASE
    WHEN abs(x) >= 1e15 THEN phlo_scaled(x, 1e15, 'Q') WHEN abs(x) >= 1e12 THEN phlo_scaled(x, 1e12, 'T')
    WHEN abs(x) >= 1e9 THEN phlo_scaled(x, 1e9, 'B') WHEN abs(x) >= 1e6 THEN phlo_scaled(x, 1e6, 'M')
    WHEN abs(x) >= 1e3 THEN phlo_scaled(x, 1e3, 'K') ELSE trunc(x)::BIGINT::VARCHAR END;
CREATE OR REPLACE MACRO trino_format_number(x) AS phlo_format_number(x::DOUBLE);
CREATE OR REPLACE MACRO phlo_data_unit(unit) AS CASE unit
    WHEN 'B' THEN 0 WHEN 'kB' THEN 1 WHEN 'MB' THEN 2 WHEN 'GB' THEN 3 WHEN 'TB' THEN 4 WHEN 'PB' THEN 5 WHEN 'EB' THEN 6
    WHEN 'ZB' THEN 7 WHEN 'YB' THEN 8 END;
CREATE OR REPLACE MACRO trino_parse_data_size(s) AS CASE
    WHEN s IS NULL THEN NULL
    WHEN NOT regexp_full_match(s, '[0-9]+(\.[0-9]+)?(B|kB|MB|GB|TB|PB|EB|ZB|YB)') THEN ('not a data size: ' || s)::DECIMAL(38, 0)
    ELSE trunc(regexp_extract(s, '[0-9.]+')::DECIMAL(38, 9)
        * (1::HUGEINT << (10 * phlo_data_unit(regexp_extract(s, '[a-zA-Z]+'))))::DECIMAL(38, 0)) END::DECIMAL(38, 0);
CREATE OR REPLACE MACRO phlo_wilson(successes, trials, z, sign) AS
    (successes / trials + z * z / (2 * trials) + sign * z * sqrt((successes / trials * (1 - successes / trials) + z * z / (4 * trials)) / trials))
    / (1 + z * z / trials);
CREATE OR REPLACE MACRO trino_wilson_interval_lower(successes, trials, z) AS phlo_wilson(successes::DOUBLE, trials::DOUBLE, z::DOUBLE, -1);
CREATE OR REPLACE MACRO trino_wilson_interval_upper(successes, trials, z) AS phlo_wilson(successes::DOUBLE, trials::DOUBLE, z::DOUBLE, 1);
