"""Where the data of stateful interfaces is kept between calls."""
