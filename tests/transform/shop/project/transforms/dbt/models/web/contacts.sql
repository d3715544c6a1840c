{{ basket_utils.union_relations([ref('stg_customers'), ref('newsletter')]) }}
