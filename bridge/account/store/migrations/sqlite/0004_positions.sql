-- Where everybody stands in the order of creation, so that the page at any
-- place is found without reading over all people before it.

-- +goose Up

ALTER TABLE people ADD COLUMN position BIGINT NOT NULL DEFAULT 0;
UPDATE people SET position = place.n
    FROM (SELECT id, row_number() OVER (ORDER BY created_at, id) AS n FROM people) AS place
    WHERE people.id = place.id;
CREATE UNIQUE INDEX people_by_position ON people (position);
DROP INDEX people_by_creation;

-- How many people have positions in a block. A block of level 1 is 64
-- positions, one of a higher level 64 blocks of the level below.
CREATE TABLE people_counts (
    level  INTEGER NOT NULL,
    block  BIGINT NOT NULL,
    people BIGINT NOT NULL,
    PRIMARY KEY (level, block)
);
INSERT INTO people_counts (level, block, people) SELECT 1, position / 64, count(*) FROM people GROUP BY 2;
INSERT INTO people_counts (level, block, people) SELECT 2, position / 4096, count(*) FROM people GROUP BY 2;
INSERT INTO people_counts (level, block, people) SELECT 3, position / 262144, count(*) FROM people GROUP BY 2;

-- +goose Down

DROP TABLE people_counts;
DROP INDEX people_by_position;
CREATE INDEX people_by_creation ON people (created_at, id);
ALTER TABLE people DROP COLUMN position;
