-- up
CREATE INDEX CONCURRENTLY product_search ON product USING gin (words);

-- down
DROP INDEX CONCURRENTLY product_search;
