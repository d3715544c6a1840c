select *, {{ cents_to_amount('amount_cents') }} as amount
from {{ source('till', 'payments') }}
