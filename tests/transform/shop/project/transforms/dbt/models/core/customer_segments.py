def model(dbt, session):
    dbt.config(materialized="table", packages=["pandas"])
    customers = dbt.ref("dim_customers").df()
    limit = int(dbt.config.get("gold_cents"))

    def segment(cents):
        return "none" if cents == 0 else "gold" if cents >= limit else "silver"

    customers["segment"] = customers["cents"].map(segment)
    return customers[["customer_id", "segment"]]
