-- The demo's advertisements. (What a viewing of one pays to the creator follows settlement_rate, not this price.)
SELECT seq AS advertisement_id, 9000 + seq % 12 AS advertiser_id,
       CONCAT('Spot no. ', seq) AS title, 5 + seq % 20 AS price_per_view
FROM seq_1_to_60
